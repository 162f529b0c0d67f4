r"""The part of grading that needs computer algebra; it runs only inside a worker process.

math-verify parses and compares. Five of its habits are corrected here, because they would grade a wrong answer
right or a right one wrong: it compares decimals after rounding (``0.3333333`` with ``1/3``); it treats every
difference below 1e-15 as zero (``1/2004!`` with ``1/2005!``); it adds numbers with a blank between them (``3 5``) and
drops their subscripts; it takes ``R`` for the same variable as ``r``; and it reads ``\cos 60^\circ`` as the cosine of
60 radians.
"""

import re

import sympy
from latex2sympy2_extended import NormalizationConfig
from math_verify import LatexExtractionConfig, parse, verify

_CONFIG = [
    LatexExtractionConfig(
        boxed_match_priority=0,
        normalization_config=NormalizationConfig(
            basic_latex=True, units=False, malformed_operators=False, nits=False, boxed="last"
        ),
    )
]
_DECIMAL = re.compile(r"(?<![0-9.])([0-9]*)\.([0-9]+)(?![0-9.])")
_UNREADABLE = re.compile(r"[0-9]\s+[0-9]|[0-9})\]]\s*_")
_DEGREES = re.compile(r"([0-9]+)\s*\^\s*\\circ(?![A-Za-z])")
_TRIGONOMETRIC = re.compile(r"\\(?:sin|cos|tan|cot|sec|csc)(?![A-Za-z])")
_CAPITAL = re.compile(r"(\\overline\s*\{[^{}]*\}|\\[A-Za-z]+)|([A-Z])(?!_)")
_DIGITS, _CLOSE = 60, sympy.Float("1e-40")


def equal(gold: str, answer: str) -> bool:
    """Return whether two LaTeX expressions have the same value; False if one of them cannot be parsed."""
    one, other = _parse(gold), _parse(answer)
    if one is None or other is None:
        return False
    agreed = verify(one, other, strict=True, timeout_seconds=None)
    return bool(agreed) and _close(one, other)


def proportion(gold: str, answer: str) -> int:
    """Return the sign of ``gold / answer`` if that is a constant other than zero, else 0."""
    one, other = _parse(gold), _parse(answer)
    if one is None or other is None or not other.free_symbols:
        return 0
    ratio = sympy.simplify(one.doit() / other.doit())
    if ratio.free_symbols or not ratio.is_real or ratio.is_zero:
        return 0
    return 1 if ratio > 0 else -1


def _parse(text: str) -> sympy.Expr | None:
    if _UNREADABLE.search(text):
        return None
    turn = r"(\\frac{\1\\pi}{180})" if _TRIGONOMETRIC.search(text) else r"\1"
    text = _DECIMAL.sub(_fraction, _DEGREES.sub(turn, text))
    text = _CAPITAL.sub(lambda letter: letter[1] or f"{letter[2].lower()}_{{99}}", text)
    # Only the first match counts: others would be parts of an expression that cannot be read as a whole.
    found = parse(rf"\boxed{{{text}}}", _CONFIG, extraction_mode="first_match", parsing_timeout=None)
    if not found or not isinstance(found[0], sympy.Expr) or found[0].has(sympy.nan, sympy.zoo):
        return None
    # The parser's assumptions on a symbol depend on the rest of its expression, and i is parsed as a symbol.
    names = {symbol: sympy.I if symbol.name == "i" else sympy.Symbol(symbol.name) for symbol in found[0].free_symbols}
    return found[0].xreplace(names)


def _fraction(decimal: re.Match[str]) -> str:
    return rf"\frac{{{decimal[1]}{decimal[2]}}}{{1{'0' * len(decimal[2])}}}"


def _close(one: sympy.Expr, other: sympy.Expr) -> bool:
    """Confirm that numbers are equal relative to their size; expressions with variables pass."""
    if one.free_symbols or other.free_symbols:
        return True
    a, b = one.evalf(_DIGITS), other.evalf(_DIGITS)
    if not (a.is_number and b.is_number) or a == b:
        return True
    difference, size = abs(a - b), max(abs(a), abs(b))
    return bool(difference <= _CLOSE * size)
