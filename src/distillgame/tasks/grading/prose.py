r"""The last number of a text that has no marker, as is usual for GSM8K.

The number is found where it will be read: in the tidied text, by the same expressions. It is no answer if it is a part
of something else (``4\sqrt{3}``, ``10 - 3``, ``\pm 5``, ``1.2.3``) or if words take it back (``not 5``, ``4 or 5``).
"""

import re
from collections import deque

from distillgame.tasks.grading.latex import tidy
from distillgame.tasks.grading.quantities import NUMBER, SCALES, SIGN

_BEFORE, _AFTER = 400, 120
_DIGIT = re.compile(r"\d|[¼½¾⅐-⅞]")
_BULLET = re.compile(r"(?<=\n)[ \t]*[-*•][ \t]+")
_TOKEN = re.compile(
    rf"(?<![0-9])(?=\S)(?:[0-9]+(?::[0-9]+)+(?:\s*[AaPp]\.?[Mm]\b)?|{SIGN}(?:{NUMBER})"
    rf"(?:\s+(?:{'|'.join(SCALES)})\b)?"
    r"(?:\s?\\?%|\s+per\s?cent\b|\s*\^\\circ(?:\s*[CF](?![A-Za-z]))?|(?:\s*\\text\s*\{[^{}]*\})(?:\s*\^\s*\{?[0-9]\}?)?)?)"
)
_SIGN_BEHIND = re.compile(r"(?:[\w)}\]%]\s*|\s)$")
_GLUED_BEHIND = re.compile(r"(?:[\w)}\].]|[0-9)}\]]\s+)$")
_BEFORE_PART = re.compile(
    r"(?:\b(?:not|never|nor|or)\s|n't\s|[\w)}\]]\s*[-+*/^]|[{^_\\]"
    r"|\\(?!(?:approx|sim|text|to|[Rr]ightarrow|implies|therefore|equiv)(?![A-Za-z]))[A-Za-z]+"
    r"|[0-9)]\s+(?:minus|plus|times|divided by)|[0-9]\s+and)\s*$|[0-9][.,:/']$"
)
_TUPLE = re.compile(r"[0-9}],\s$")
_AFTER_PART = re.compile(
    r"[}^_(]|\s*\\(?!text(?![A-Za-z])|[$%])[a-zA-Z{]|(?![mgl]/[a-z])[A-Za-z](?![A-Za-z])|[.,:/'][0-9]"
    r"|\s*[-+*/=]\s*(?:\\?\(|\\[a-z]|(?![aAI]\b)[A-Za-z](?![A-Za-z]))"
)


def last_number(text: str) -> str | None:
    """Return the last number with its sign and percent sign, unless it is a part of something else."""
    digits = deque(_DIGIT.finditer(text), 1)
    if not digits:
        return None
    window = text[max(0, digits[0].end() - _BEFORE) : digits[0].end() + _AFTER]
    window = tidy(_BULLET.sub("", window))
    found = deque(_TOKEN.finditer(window), 1)
    return _whole(window, found[0]) if found else None


def _whole(text: str, token: re.Match[str]) -> str | None:
    """Return the token with the sign that belongs to it, or ``None`` if it is a part of something else."""
    start, end = token.span()
    before, number = text[max(0, start - 30) : start], token[0]
    if number[0] in "-+" and token["sign"]:
        blanks = len(number) - len(number[1:].lstrip()) - 1
        if (blanks and _SIGN_BEHIND.search(before) and not _opens(before)) or _GLUED_BEHIND.search(before):
            return None
    elif token["sign"] and re.search(r"[0-9)]\s*$", before):
        return None
    if re.match(r"[0-9.]", number) and re.search(r"[A-Za-z]$", before):
        return None
    tuple_item = _TUPLE.search(before) and re.match(r"\s*\\?[)\]}]", text[end:])
    if tuple_item or _BEFORE_PART.search(before) or _AFTER_PART.match(text, end):
        return None
    return number.strip()


def _opens(before: str) -> bool:
    """Return whether a sign with a blank behind it is a sign and not a difference or a dash."""
    return re.search(r"(?:[=(:{\[$]|^)\s*$", before) is not None
