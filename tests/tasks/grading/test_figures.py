import pytest

from distillgame.tasks.grading.figures import join_digits, powers_of_ten, shape


@pytest.mark.parametrize(
    ("text", "joined"),
    [
        ("10 000", "10000"),
        ("1{,}250{,}000", "1250000"),
        (r"10\,000", "10000"),
        ("10'000", "10000"),
        (r"10\_000", "10000"),
        ("1.234.567", "1234567"),
        ("1,234", "1,234"),
        ("3 500 2", "3 500 2"),
        ("10 00", "10 00"),
        ("3 5", "3 5"),
        ("2 125/250", "2 125/250"),
        ("5, 100", "5, 100"),
        ("0 000", "0 000"),
        ("2112_6", "2112_6"),
        (r"1 \\ 200", r"1 \\ 200"),
    ],
)
def test_join_digits(text: str, joined: str) -> None:
    assert join_digits(text) == joined


@pytest.mark.parametrize(
    ("text", "shaped"),
    [
        ("2½", r"2\frac{1}{2}"),
        ("²⁄₃", r"\frac{2}{3}"),
        ("x⁻¹⁰", "x^{-10}"),
        ("2112₆", "2112_{6}"),
        ("⁻5", "-5"),
        ("5m²", r"5\text{ m}^{2}"),
    ],
)
def test_shape(text: str, shaped: str) -> None:
    assert shape(text) == shaped


@pytest.mark.parametrize(
    ("text", "power"),
    [
        ("1.5e6", r"1.5\cdot 10^{6}"),
        ("1.5E-6", r"1.5\cdot 10^{-6}"),
        ("2 x 10^3", r"2\cdot 10^3"),
        (r"2\times 10^{3}", r"2\cdot 10^{3}"),
        ("2e", "2e"),
        ("x10", "x10"),
        ("1e5f", "1e5f"),
        ("1e9999", "1e9999"),
    ],
)
def test_powers_of_ten(text: str, power: str) -> None:
    assert powers_of_ten(text) == power
