r"""Normalisation of LaTeX answers, and splitting them at the outermost level of brackets.

Nothing here interprets an answer: :func:`tidy` only unifies spellings that never change the meaning
(``\dfrac`` for ``\frac``, ``15,\!000`` for ``15000``, ``\left(`` for ``(``).
"""

import re
from collections.abc import Iterator

_SYMBOLS = str.maketrans(
    {
        "−": "-", "–": "-", "×": r"\times ", "·": r"\cdot ", "÷": "/", "⁄": "/", "√": r"\sqrt ", "±": r"\pm ",
        "π": r"\pi ", "∞": r"\infty ", "°": r"^\circ ", "≤": r"\le ", "≥": r"\ge ", "≠": r"\ne ",
        "≈": r"\approx ", "∪": r"\cup ", "∈": r"\in ", "²": "^2", "³": "^3", "½": r"\frac{1}{2}",
        "¼": r"\frac{1}{4}", "¾": r"\frac{3}{4}", "\u00a0": " ", "\u202f": " ", "\u2009": " ",
    }
)  # fmt: skip

_REWRITES = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"(?<=[0-9])\s*(?:,\s*\\!|\{,\}|\\,(?=[0-9]{3}))\s*(?=[0-9])", ""),
        (r"\\!", ""),
        (r"(?<!\\)\\[,;: \n]|~|\\q?quad(?![A-Za-z])", " "),
        (r"\\(?:left|right|[bB]igg?[lr]?|displaystyle|textstyle|limits)(?![A-Za-z])\.?", ""),
        (r"\\[dtc]frac(?![A-Za-z])", r"\\frac"),
        (r"\\(?:mbox|text(?:bf|rm|it|normal)|math(?:rm|bf|it|sf))(?![A-Za-z])", r"\\text"),
        (r"\\(?:leqslant|leq|le)(?![A-Za-z])|<=", r" \\le "),
        (r"\\(?:geqslant|geq|ge)(?![A-Za-z])|>=", r" \\ge "),
        (r"\\lt(?![A-Za-z])", " < "),
        (r"\\gt(?![A-Za-z])", " > "),
        (r"\\neq(?![A-Za-z])", r"\\ne"),
        (r"\\lbrace(?![A-Za-z])", r"\\{"),
        (r"\\rbrace(?![A-Za-z])", r"\\}"),
        (r"\\pmod\{[^{}]*\}", ""),
        (r"\^\s*\{\s*\\circ\s*\}|\\degrees?(?![A-Za-z])|\\textdegree(?![A-Za-z])", r"^\\circ"),
        (r"(?<![A-Za-z\\])(?:\+\s*)?(?:infinity|inf)(?![A-Za-z])|\+\s*\\infty", r"\\infty"),
        (r"(?<![A-Za-z\\])(sqrt|pi)(?![A-Za-z])", r"\\\1"),
        (r"\\sqrt\s*\(([^()]*)\)", r"\\sqrt{\1}"),
        (r"\*\*", "^"),
        (r"\^\s*(-?[0-9]{2,}|-[0-9])", r"^{\1}"),
        (r"\^\s*\(([^()]*)\)", r"^{\1}"),
    )
)
_FRAC, _SQRT = re.compile(r"\\frac(?![A-Za-z])"), re.compile(r"\\sqrt(?![A-Za-z])")
_ARGUMENT = re.compile(r"\\[A-Za-z]+|[A-Za-z0-9]")
_TOKEN = re.compile(r"\\[{}]|\\.|[(){}\[\]]", re.DOTALL)
_OPEN = {"(": 1, "[": 1, "{": 1, r"\{": 1, ")": -1, "]": -1, "}": -1, r"\}": -1}
_PARTNER = {"{": "}", r"\{": r"\}", "(": ")]", "[": ")]"}


def tidy(text: str) -> str:
    """Return ``text`` with one spelling for LaTeX that can be spelled in several ways."""
    text = text.translate(_SYMBOLS)
    for pattern, replacement in _REWRITES:
        text = pattern.sub(replacement, text)
    text = _brace(_brace(text, _FRAC, 2), _SQRT, 1)
    return re.sub(r"\s+", " ", text).strip().rstrip(".,;: ")


def _brace(text: str, command: re.Pattern[str], arguments: int) -> str:
    r"""Put braces around arguments that LaTeX allows without: ``\frac1{2}``, ``\frac \pi4``."""
    for match in reversed(list(command.finditer(text))):
        braced, position = match[0], match.end()
        for _ in range(arguments):
            position += len(text[position:]) - len(text[position:].lstrip())
            end = closing(text, position)
            if end:
                braced += text[position:end]
                position = end
            elif bare := _ARGUMENT.match(text, position):
                braced += "{" + bare[0] + "}"
                position = bare.end()
        text = text[: match.start()] + braced + text[position:]
    return text


def brackets(text: str) -> Iterator[tuple[int, int, int]]:
    """Yield ``(start, end, depth after it)`` of every bracket of any kind; the depth may become negative."""
    depth = 0
    for match in _TOKEN.finditer(text):
        step = _OPEN.get(match[0], 0)
        if step:
            depth += step
            yield match.start(), match.end(), depth


def closing(text: str, start: int) -> int:
    r"""Return the index after the ``}`` that closes the ``{`` at ``start``, or 0 if nothing closes it."""
    if not text.startswith("{", start):
        return 0
    depth = 0
    for match in _TOKEN.finditer(text, start):
        depth += {"{": 1, "}": -1}.get(match[0], 0)
        if depth == 0:
            return match.end()
    return 0


def enclosed(text: str) -> tuple[str, str, str] | None:
    r"""Split ``[a, b)`` or ``\{a, b\}`` into the opening bracket, the content and the closing bracket.

    Returns:
        ``None`` unless one pair of brackets encloses the whole text; round and square ones may be mixed.
    """
    found = list(brackets(text))
    if len(found) < 2 or found[0][0] != 0 or found[-1][1] != len(text):
        return None
    if any(depth <= 0 for _, _, depth in found[:-1]) or found[-1][2] != 0:
        return None
    opening, last = text[: found[0][1]], text[found[-1][0] :]
    if last not in _PARTNER.get(opening, ""):
        return None
    return opening, text[found[0][1] : found[-1][0]].strip(), last


def split(text: str, separator: re.Pattern[str]) -> tuple[list[str], list[str]]:
    """Split ``text`` where ``separator`` matches outside all brackets.

    Returns:
        The pieces without blanks at their ends (one more than separators; some may be empty), and the
        separators.
    """
    masked, depth, start = text, 0, 0
    for begin, end, after in [*brackets(text), (len(text), len(text), 0)]:
        if depth == 0 and after > 0:
            start = begin
        if depth > 0 and after <= 0:
            masked = masked[:start] + "\0" * (end - start) + masked[end:]
        depth = max(after, 0)
    pieces, found, position = [], [], 0
    for match in separator.finditer(masked):
        pieces.append(text[position : match.start()].strip())
        found.append(match[0].strip())
        position = match.end()
    return [*pieces, text[position:].strip()], found
