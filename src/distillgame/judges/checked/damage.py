"""Text that says nothing: loops, garbage, broken characters, and an end in the middle of a formula.

The thresholds are chosen so that worked solutions written by people have hardly any of it.
"""

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from distillgame.judges.checked.arithmetic.statements import Statement
from distillgame.judges.checked.steps import lines, sentences
from distillgame.judges.checked.totals import in_notation, pieces

COPIES = 4
"""A few words are a loop from this many copies in a row on."""

LONGEST_PERIOD = 60
"""Words of a loop."""

REPEATED = 3
"""A sentence, a line or a step is a loop from this many copies on, wherever they stand."""

FEWEST_WORDS = 3
"""Words of such a sentence, line or step; what has less may be markup."""

_NUMBERS_IN_A_ROW = 40
_WORD = re.compile(r"\S+")
_STUTTER = re.compile(r"(\S{1,8}?)\1{11,}")
_RULE = re.compile(r"[-=_.*#~+|&:]{1,100}|[0-9]{1,30}")
_BROKEN = re.compile(r"\S{0,40}[\ufffd\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ue000-\uf8ff]\S{0,40}")
_GARBAGE = re.compile(r"[^\W\d_]{41,}|(?i:[bcdfghjklmnpqrstvwxz]{9,})|[^\w\s\\{}()\[\]$-]{9,}")
_FEWEST_SIGNS = 5
_UNFINISHED = re.compile(
    r"(?:[-+*/=×÷^\\({\[<≈]|\\(?:frac|cdot|times|left|sqrt|text|boxed|begin)|\b(?:the|an?|of|and|is|to|plus|times|total|x))$"
)
_OPENING, _CLOSING = re.compile(r"(?<!\\)\{|\\\[|\\\("), re.compile(r"(?<!\\)\}|\\\]|\\\)")


def damaged(text: str, found: Sequence[Statement]) -> bytearray:
    """Return a byte per character of a text: 1 where it is repeated, corrupt or cut, else 0.

    Args:
        text: The text.
        found: Its statements, in which ``2 + 2 + 2 + 2`` is no loop.
    """
    flags = bytearray(len(text))
    _mark_loops(text, found, flags)
    parts = (
        list(pieces(text)) if in_notation(text) else [part for line in lines(text) for part in sentences(text, *line)]
    )
    _mark_copies(text, parts, flags)
    for match in _STUTTER.finditer(text):
        if not _RULE.fullmatch(match[0]):
            _mark(flags, match.start() + len(match[1]), match.end())
    for match in _BROKEN.finditer(text):
        _mark(flags, *match.span())
    for match in _GARBAGE.finditer(text):
        if match[0][0].isalpha() or len(set(match[0])) >= _FEWEST_SIGNS:
            _mark(flags, *match.span())
    if parts and _is_cut(text, parts[-1]):
        _mark(flags, *parts[-1])
    return flags


def _mark(flags: bytearray, start: int, end: int) -> None:
    flags[start:end] = b"\1" * (end - start)


def _mark_loops(text: str, found: Sequence[Statement], flags: bytearray) -> None:
    """Mark all copies but the first of a few words that stand in a row again and again."""
    words = [match.span() for match in _WORD.finditer(text)]
    calculated = bytearray(len(text))
    for statement in found:
        _mark(calculated, statement.start, statement.end)
    known: dict[str, int] = {}
    ids = np.array([known.setdefault(text[start:end], len(known)) for start, end in words], dtype=np.int64)
    for period in range(1, min(LONGEST_PERIOD, len(words) // COPIES) + 1):
        same = np.concatenate(([False], ids[period:] == ids[:-period], [False]))
        edges = np.flatnonzero(same[1:] != same[:-1])
        for first, last in zip(edges[::2], edges[1::2], strict=True):
            if last - first < (COPIES - 1) * period:
                continue
            start, end = words[first + period][0], words[last + period - 1][1]
            letters = any(text[place].isalpha() for place in range(words[first][0], start))
            if (letters or last - first >= _NUMBERS_IN_A_ROW) and not calculated[start]:
                _mark(flags, start, end)


def _mark_copies(text: str, parts: list[tuple[int, int]], flags: bytearray) -> None:
    """Mark all copies but the first of a sentence or a step that occurs again and again."""
    said = [" ".join(text[start:end].lower().split()) for start, end in parts]
    count = Counter(said)
    seen = set()
    for (start, end), words in zip(parts, said, strict=True):
        if count[words] >= REPEATED and len(words.split()) >= FEWEST_WORDS and any(map(str.isalpha, words)):
            if words in seen:
                _mark(flags, start, end)
            seen.add(words)


def _is_cut(text: str, last: tuple[int, int]) -> bool:
    """Return whether the last sentence or step breaks off where it cannot end."""
    end = text[slice(*last)].strip()
    if in_notation(text):
        return not end.endswith(" .") and re.match(r"#### [0-9]+$", end) is None
    return _UNFINISHED.search(end) is not None or len(_OPENING.findall(end)) > len(_CLOSING.findall(end))
