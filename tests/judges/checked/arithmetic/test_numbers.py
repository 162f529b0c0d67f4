import math
from collections.abc import Callable
from fractions import Fraction

import pytest

from distillgame.judges.checked.arithmetic import numbers
from distillgame.judges.checked.arithmetic.numbers import UnreadableError, Value, agree, literal


def test_pi_is_right() -> None:
    assert float(numbers.pi().number) == math.pi


@pytest.mark.parametrize(("number", "degree"), [(2, 2), (10**40 + 1, 2), (7, 3), (12345, 12)])
def test_roots_have_eighty_decimals(number: int, degree: int) -> None:
    value = literal(str(number))
    found = numbers.root(value, degree)
    assert not found.exact
    assert 0 <= number - found.number**degree < Fraction(degree * number, 10**79)


def test_rational_roots_are_exact() -> None:
    assert numbers.root(Value(Fraction(16, 81), Fraction(16, 81)), 4).number == Fraction(2, 3)
    assert numbers.power(literal("8"), Value(Fraction(2, 3), Fraction(2, 3))).number == 4


@pytest.mark.parametrize(("shown", "holds"), [("3.33", True), ("3.3", True), ("3.34", False), ("3", False)])
def test_a_side_may_be_rounded_to_the_digits_it_shows(shown: str, holds: bool) -> None:
    third = numbers.combine("/", literal("10"), literal("3"))
    assert agree(third, literal(shown), about=False) == holds
    assert agree(literal(shown), third, about=False) == holds


@pytest.mark.parametrize(("shown", "holds"), [("3", True), ("4", False), ("0", False), ("3.3", True)])
def test_approximate_equalities_round_whole_numbers(shown: str, holds: bool) -> None:
    assert agree(numbers.combine("/", literal("10"), literal("3")), literal(shown), about=True) == holds


def test_what_is_too_large_is_not_computed() -> None:
    nine = literal("9")
    attempts: list[Callable[[], Value]] = [
        lambda: numbers.power(nine, literal("387420489")),
        lambda: numbers.factorial(literal("1000000")),
        lambda: numbers.binomial(literal("99999"), literal("500")),
        lambda: numbers.combine("/", nine, literal("0")),
        lambda: numbers.power(literal("0"), -nine),
        lambda: numbers.root(-nine, 2),
        lambda: literal("9" * 5000),
    ]
    for attempt in attempts:
        with pytest.raises(UnreadableError):
            attempt()
