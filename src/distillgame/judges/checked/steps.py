"""The steps of a trace: creatures in the embedded worlds' notation; lines, or the sentences of one line, in words."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from distillgame.judges.checked.arithmetic.statements import Statement
from distillgame.judges.checked.totals import in_notation, pieces

_LINE = re.compile(r"[^\n]+")
_SENTENCE_END = re.compile(r"[.!?][\"')\]*$]{0,3}\s+(?![a-z0-9])")
_FINAL = re.compile(
    r"[^\w#<]*(?:####|boxed\b|<answer>|(?:(?:so|thus|therefore|hence),?\s+)?(?:(?:the|my|our)\s+)?(?:final\s+)?answer\b)",
    re.IGNORECASE,
)
_MARKUP = re.compile(r"[^\w]*(?:\\?(?:begin|end)\s*\{[^{}\n]*\})?[^\w]*")
SELF_TALK = re.compile(
    r"[^\w]*(?:h+m+|wait|ok(?:ay)?|alright|um+|uh|well|oh|let me (?:think|see|check|start)|let's see"
    r"|i (?:think|wonder|guess)|actually|maybe|first of all, i need)\b",
    re.IGNORECASE,
)
"""The beginning of a sentence in which a model talks to itself."""


@dataclass(frozen=True)
class Step:
    """A step.

    Attributes:
        start: Where it begins in the text.
        end: Where it ends.
        checkable: True if it holds a statement.
    """

    start: int
    end: int
    checkable: bool


def steps(text: str, found: Sequence[Statement]) -> list[Step]:
    """Return the steps of a trace; what only states the final answer is none.

    Args:
        text: The trace.
        found: Its statements, in their order.
    """
    spans = _in_notation(text) if in_notation(text) else _in_words(text)
    result, place = [], 0
    for start, end in spans:
        while place < len(found) and found[place].end <= start:
            place += 1
        checkable = place < len(found) and found[place].start < end
        if checkable or not (_FINAL.match(text, start, end) or _MARKUP.fullmatch(text, start, end)):
            result.append(Step(start, end, checkable))
    return result


def sentences(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the spans of the sentences of a line."""
    for stop in _SENTENCE_END.finditer(text, start, end):
        yield start, stop.end()
        start = stop.end()
    if text[start:end].strip():
        yield start, end


def lines(text: str) -> list[tuple[int, int]]:
    """Return the spans of the lines that are not blank."""
    return [line.span() for line in _LINE.finditer(text) if line[0].strip()]


def _in_notation(text: str) -> Iterator[tuple[int, int]]:
    for start, end in pieces(text):
        if text.endswith(" .", start, end):
            yield start, end


def _in_words(text: str) -> Iterator[tuple[int, int]]:
    spans = lines(text)
    told = [span for span in spans if not _FINAL.match(text, *span)]
    for span in spans:
        yield from sentences(text, *span) if [span] == told else [span]
