r"""One spelling for numbers that can be written in several ways, in a text whose characters are plain.

Digit groups are joined (``10 000``, ``10{,}000``, ``10'000``; a plain comma stays, since it may separate a list),
``2½`` becomes ``2\frac{1}{2}``, ``x⁴`` becomes ``x^{4}``, and powers of ten get one form (``1.5e6``,
``2.5 \cdot 10^3``). Whatever does not form proper groups of three stays apart: ``3 5`` are two numbers.
"""

import re
import unicodedata

_SUPERSCRIPTS, _SUBSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿⁱˣʸ", "₀₁₂₃₄₅₆₇₈₉₊₋ₙᵢₓⱼ"
_TO_ASCII = str.maketrans(_SUPERSCRIPTS + _SUBSCRIPTS, "0123456789+-nixy0123456789+-nixj")
_RAISED, _LOWERED = re.compile(f"[{_SUPERSCRIPTS}]+"), re.compile(f"[{_SUBSCRIPTS}]+")
_STACKED = re.compile(f"([{_SUPERSCRIPTS[:10]}]+)[⁄/]([{_SUBSCRIPTS[:10]}]+)")
_VULGAR = re.compile("[¼½¾⅐-⅞↉]")
_GLUED_UNIT = re.compile(r"(?<=[0-9])\s?([mglsh]|[cdkm]m|ft|in|yd)(?=[²³])")
_RAISED_SIGN = re.compile("⁻(?=[0-9])")

_SEPARATOR = re.compile(
    r"(?<=[0-9])\s*(?:,\s*\\!|\{\s*[,']\s*\}|\{?\\[,;:> ]\}?|\{ \}|\\(?:thin|med|thick)space(?![A-Za-z])|~|\\?_|')"
    r"\s*(?=[0-9]{3}(?![0-9]))"
)
_GROUP = "\u2009"
_GROUPS = re.compile(
    rf"(?<![0-9.,_^/{_GROUP}])([1-9][0-9]{{0,2}}(?:{_GROUP}[0-9]{{3}})+)(?![0-9{_GROUP}])"
    r"|(?<![0-9.,_^/])(?<![0-9] )([1-9][0-9]{0,2}(?: [0-9]{3})+)(?!\s?[0-9/]|\s?\\frac|\s?,[0-9])"
    r"|(?<![0-9.,_^/])([1-9][0-9]{0,2}(?:\.[0-9]{3}){2,})(?![0-9.])"
)
_DECIMALS = re.compile(rf"(?<=\.)[0-9]{{3}}(?:{_GROUP}[0-9]{{3}})+(?![0-9{_GROUP}])")
_BETWEEN = re.compile(f"[ .{_GROUP}]")

_TIMES_TEN = re.compile(r"(?<=[0-9])\s*(?:[x*•]|\\times(?![A-Za-z])|\\cdot(?![A-Za-z]))\s*10\s*(?=\^)")
_EXPONENT = re.compile(r"(?<![0-9A-Za-z_\\^])([0-9]+(?:\.[0-9]*)?|\.[0-9]+)[eE]([-+]?[0-9]{1,3})(?![0-9A-Za-z.])")


def shape(text: str) -> str:
    r"""Write raised, lowered and stacked characters as LaTeX: ``⁻³`` as ``^{-3}``, ``⅔`` as ``\frac{2}{3}``."""
    if text.isascii():
        return text
    text = _RAISED_SIGN.sub("-", text)
    text = _GLUED_UNIT.sub(r"\\text{ \1}", text)
    text = _STACKED.sub(lambda both: rf"\frac{{{both[1]}}}{{{both[2]}}}".translate(_TO_ASCII), text)
    text = _RAISED.sub(lambda raised: f"^{{{raised[0].translate(_TO_ASCII)}}}", text)
    text = _LOWERED.sub(lambda lowered: f"_{{{lowered[0].translate(_TO_ASCII)}}}", text)
    return _VULGAR.sub(_fraction, text)


def join_digits(text: str) -> str:
    """Join the groups of long numbers, and write powers of ten in one form."""
    text = _SEPARATOR.sub(_GROUP, text)
    for groups in (_GROUPS, _DECIMALS):
        text = groups.sub(lambda number: _BETWEEN.sub("", number[0]), text)
    return text.replace(_GROUP, " ")


def powers_of_ten(text: str) -> str:
    r"""Write ``1.5e6``, ``1.5 x 10^6`` and ``1.5 \times 10^6`` in one form."""
    text = _EXPONENT.sub(lambda number: rf"{number[1]}\cdot 10^{{{int(number[2])}}}", text)
    return _TIMES_TEN.sub(r"\\cdot 10", text)


def _fraction(character: re.Match[str]) -> str:
    top, _, bottom = unicodedata.normalize("NFKC", character[0]).partition("⁄")
    return rf"\frac{{{top}}}{{{bottom}}}"
