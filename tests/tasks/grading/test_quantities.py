from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distillgame.tasks.grading import symbolic
from distillgame.tasks.grading.quantities import Quantity, parse_quantity, same_quantity

VALUES = [
    ("18", 18),
    ("-18", -18),
    ("+18", 18),
    ("007", 7),
    ("1,234,567.5", Fraction(2469135, 2)),
    (".5", Fraction(1, 2)),
    ("$1,000", 1000),
    (r"-\$0.50", Fraction(-1, 2)),
    ("$-5", -5),
    ("3/4", Fraction(3, 4)),
    ("-3 / 4", Fraction(-3, 4)),
    (r"\frac{3}{4}", Fraction(3, 4)),
    (r"-\frac{-3}{4}", Fraction(3, 4)),
    (r"6\frac{1}{5}", Fraction(31, 5)),
    (r"-6 \frac{1}{5}", Fraction(-31, 5)),
    ("6 1/5", Fraction(31, 5)),
    ("3 million", 3_000_000),
    (r"2.5 \text{ thousand dollars}", 2500),
    (r"18\text{ ways}", 18),
    ("5 cm", 5),
    ("5cm", 5),
    ("60 miles per hour", 60),
    (r"440\text{ cm}^2", 440),
    (r"45^\circ", 45),
    ("18 more apples", 18),
    ("50%", 50),
    ("12,34,567", 1_234_567),
    ("1,000/3", Fraction(1000, 3)),
    (r"\frac{3}{-4}", Fraction(-3, 4)),
    (r"2.5\cdot 10^{3}", 2500),
    (r"10^{-2}", Fraction(1, 100)),
    ("-€5", -5),
    ("€-5", -5),
    ("US$500", 500),
    (r"\text{USD } 500", 500),
    ("500 USD", 500),
    ("minus 5", -5),
    ("5th", 5),
    (r"5^{\text{th}}", 5),
    (r"-3^\circ C", -3),
    ("60km/h", 60),
]

NO_QUANTITIES = [
    "", "x", "5x", "5t", "5 t", "5ab", "5 ab", "5m", r"5\pi", "5 pi", "5 or 6", "5 times", "2 thirds",
    "1,23", "12,345,67", "1.2.3", "1/0", r"2\frac{3}{2}", "2 3/2", "3 5", "5!", "5^2", "(5)",
    r"\frac{1}{x}", r"5 \text{ or 6}", "½x",
]  # fmt: skip


@pytest.mark.parametrize(("text", "value"), VALUES)
def test_values(text: str, value: Fraction | int) -> None:
    quantity = parse_quantity(text)
    assert quantity is not None
    assert quantity.value == value


@pytest.mark.parametrize("text", NO_QUANTITIES)
def test_other_texts_are_no_quantities(text: str) -> None:
    assert parse_quantity(text) is None


@pytest.mark.parametrize(
    ("gold", "answer", "percent", "same"),
    [
        ("5", "5%", False, False),
        ("5", "5%", True, True),
        ("5%", "5", False, True),
        ("5%", "0.05", False, True),
        ("0.05", "5%", False, True),
        ("5%", "5%", False, True),
        ("$5", "5 cents", False, False),
        ("5 cm", "5 meters", False, False),
        ("5 cm", "5 centimeters", False, True),
        ("5 cm", "5", False, True),
        ("5 apples", "5 pears", False, True),
        ("5 feet", "5 square feet", False, True),
    ],
)
def test_percent_and_units(gold: str, answer: str, percent: bool, same: bool) -> None:
    one, other = parse_quantity(gold), parse_quantity(answer)
    assert one is not None
    assert other is not None
    assert same_quantity(one, other, percent) == same


@given(st.fractions(max_denominator=10**6))
def test_fractions_are_read_exactly(value: Fraction) -> None:
    sign = "-" if value < 0 else ""
    top, bottom = abs(value.numerator), value.denominator
    assert parse_quantity(f"{sign}{top}/{bottom}") == Quantity(value)
    assert parse_quantity(rf"{sign}\frac{{{top}}}{{{bottom}}}") == Quantity(value)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**9), max_value=10**9))
def test_decimals_are_read_exactly(value: object) -> None:
    text = f"{value:,}"
    quantity = parse_quantity(text)
    assert quantity is not None
    assert quantity.value == Fraction(text.replace(",", ""))


NUMBERS = st.one_of(
    st.integers(-50, 50).map(str),
    st.tuples(st.integers(-500, 500)).map(lambda n: f"{n[0] / 100:.2f}"),
    st.tuples(st.integers(-20, 20), st.integers(1, 12)).map(lambda n: rf"\frac{{{n[0]}}}{{{n[1]}}}"),
    st.tuples(st.integers(0, 20), st.integers(1, 12)).map(lambda n: f"{n[0]}/{n[1]}"),
)


@settings(deadline=None)
@given(NUMBERS, NUMBERS)
def test_numbers_are_compared_as_by_computer_algebra(gold: str, answer: str) -> None:
    one, other = parse_quantity(gold), parse_quantity(answer)
    assert one is not None
    assert other is not None
    assert same_quantity(one, other, False) == symbolic.equal(gold, answer)
