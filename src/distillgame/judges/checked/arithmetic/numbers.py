"""Exact numbers with a bound on their size, and the question whether two of them are equal as they are written.

Roots and pi are kept to :data:`PLACES` decimals: an identity that holds so far does not fail behind.
"""

import math
from dataclasses import dataclass, replace
from fractions import Fraction

PLACES = 80
"""Decimals of irrational numbers."""

CLOSE = Fraction(1, 10**40)
"""Irrational numbers that are relatively closer than this are equal."""

LARGEST = 4096
"""Bits of the largest numerator or denominator; nothing larger is computed."""

LARGEST_FACTORIAL = 400
LARGEST_ROOT = 12

_SCALE = 10**PLACES
PI_DIGITS = 31415926535897932384626433832795028841971693993751058209749445923078164062862089986
"""The first 83 digits of pi."""


class UnreadableError(Exception):
    """An expression that is no arithmetic, or whose value is not computed here."""


@dataclass(frozen=True)
class Value:
    """The value of an expression.

    Attributes:
        number: The value, with 20% as 1/5.
        plain: The value if percent signs are units, with 20% as 20; the same number where the signs are factors.
        percent: True if it has a percent sign.
        exact: False if it comes from a root or pi.
        computed: True if there is an operation in it.
        decimals: Number of decimals of a plain number as it is written; None for everything else.
        round_to: Place of the last digit other than 0 of a whole number, as a power of ten.
        doubtful: True if it may have been read wrongly.
    """

    number: Fraction
    plain: Fraction
    percent: bool = False
    exact: bool = True
    computed: bool = False
    decimals: int | None = None
    round_to: int = 0
    doubtful: bool = False

    def __neg__(self) -> "Value":
        return replace(self, number=-self.number, plain=-self.plain)


def literal(digits: str) -> Value:
    """Return the value of a number without separators: ``12``, ``3.50`` or ``.5``.

    Raises:
        UnreadableError: If it is too long.
    """
    whole, _, decimals = digits.partition(".")
    if len(digits) > LARGEST // 4:
        raise UnreadableError
    number = Fraction(int(whole + decimals or "0"), 10 ** len(decimals))
    zeros = len(whole) - len(whole.rstrip("0")) if not decimals and number else 0
    return Value(number, number, decimals=len(decimals), round_to=zeros)


def quotient(text: str) -> Value:
    """Return the value of a fraction such as ``3/4``.

    Raises:
        UnreadableError: If its bottom is 0.
    """
    top, _, bottom = text.partition("/")
    return combine("/", literal(top), literal(bottom))


def in_percent(value: Value) -> Value:
    """Return the value with a percent sign behind it."""
    decimals = None if value.decimals is None else value.decimals + 2
    return replace(value, number=value.number / 100, plain=value.number, percent=True, decimals=decimals, round_to=0)


def combine(sign: str, one: Value, other: Value) -> Value:
    """Return the sum, difference, product or quotient of two values.

    Raises:
        UnreadableError: If it does not exist or is too large.
    """
    if sign in "+-":
        flip = 1 if sign == "+" else -1
        number, plain = one.number + flip * other.number, one.plain + flip * other.plain
    else:
        if sign == "/" and other.number == 0:
            raise UnreadableError
        number = one.number / other.number if sign == "/" else one.number * other.number
        plain = number
    percent = (one.percent or other.percent) and sign in "+-"
    if sign == "*" and other.percent and other.number == 1:
        plain, percent = one.plain * 100, True  # 3/5 * 100% is 60%.
    return _result(number, plain, percent, one, other)


def power(base: Value, exponent: Value) -> Value:
    """Return a power, with a small fraction as its exponent at most.

    Raises:
        UnreadableError: If it does not exist, is not real or is too large.
    """
    top, bottom = exponent.number.numerator, exponent.number.denominator
    if bottom > 1:
        return power(root(base, bottom), replace(exponent, number=Fraction(top), plain=Fraction(top)))
    size = max(base.number.numerator.bit_length(), base.number.denominator.bit_length())
    if not exponent.exact or abs(top) * size > 2 * LARGEST or (base.number == 0 and top <= 0):
        raise UnreadableError
    number = base.number**top
    return _result(number, number, False, base, exponent)


def root(value: Value, degree: int) -> Value:
    """Return a real root, exact where it is rational.

    Raises:
        UnreadableError: If it is not real, or of too high a degree.
    """
    number = value.number
    if number < 0 or not 1 < degree <= LARGEST_ROOT:
        raise UnreadableError
    top, bottom = _whole_root(number.numerator, degree), _whole_root(number.denominator, degree)
    if value.exact and top**degree == number.numerator and bottom**degree == number.denominator:
        return _result(Fraction(top, bottom), Fraction(top, bottom), False, value, value)
    found = Fraction(_whole_root(number.numerator * _SCALE**degree // number.denominator, degree), _SCALE)
    return replace(_result(found, found, False, value, value), exact=False)


def factorial(value: Value) -> Value:
    """Return a factorial.

    Raises:
        UnreadableError: If it does not exist or is too large.
    """
    number = Fraction(math.factorial(_natural(value)))
    return _result(number, number, False, value, value)


def binomial(top: Value, bottom: Value) -> Value:
    """Return a binomial coefficient.

    Raises:
        UnreadableError: If it does not exist or is too large.
    """
    number = Fraction(math.comb(_natural(top), _natural(bottom)))
    return _result(number, number, False, top, bottom)


def pi() -> Value:
    """Return pi."""
    number = Fraction(PI_DIGITS, 10**82)
    return Value(number, number, exact=False)


def agree(left: Value, right: Value, about: bool) -> bool:
    """Return whether two sides are equal, one of them perhaps rounded to the digits that it shows.

    Args:
        left: The left side.
        right: The right side.
        about: True for an approximate equality, in which whole numbers may be rounded, too.
    """
    pairs = [(left.number, right.number), (left.plain, right.plain)]
    exact = left.exact and right.exact
    if any(one == other or (not exact and abs(one - other) <= CLOSE * abs(one)) for one, other in pairs):
        return True
    return any(
        _rounded(pair[turn], value, about, exactly)
        for turn, value in ((1, left), (0, right))
        for pair, exactly in ((pairs[0], True), (pairs[1], False))
    )


def _rounded(other: Fraction, value: Value, about: bool, scaled: bool) -> bool:
    """Return whether ``value`` is a plain number that ``other`` may be rounded to."""
    if value.decimals is None:
        return False
    shown = value.decimals - (0 if scaled or not value.percent else 2)
    if shown == 0 and not about:
        return False
    step = Fraction(10) ** (value.round_to if shown == 0 else -shown)
    return abs(other - (value.number if scaled else value.plain)) * 2 <= step


def _result(number: Fraction, plain: Fraction, percent: bool, one: Value, other: Value) -> Value:
    exact, doubtful = one.exact and other.exact, one.doubtful or other.doubtful
    if not exact:
        number, plain = _shortened(number), _shortened(plain)
    if max(abs(number.numerator), number.denominator, abs(plain.numerator), plain.denominator).bit_length() > LARGEST:
        raise UnreadableError
    return Value(number, plain, percent, exact, True, doubtful=doubtful)


def _shortened(number: Fraction) -> Fraction:
    return Fraction(number.numerator * _SCALE // number.denominator, _SCALE)


def _natural(value: Value) -> int:
    if value.number.denominator != 1 or not 0 <= value.number <= LARGEST_FACTORIAL:
        raise UnreadableError
    return int(value.number)


def _whole_root(number: int, degree: int) -> int:
    """Return the largest whole number whose power is at most ``number``, by Newton's method."""
    if number < 2:
        return number
    guess = 1 << -(-number.bit_length() // degree)
    while True:
        better = ((degree - 1) * guess + number // guess ** (degree - 1)) // degree
        if better >= guess:
            return guess
        guess = better
