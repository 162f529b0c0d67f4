"""Answers of the judging model: an object with a reason and a level, or one of the ways to say nothing that counts."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

REFUSED, TRUNCATED, MALFORMED, UNASKED = "refused", "truncated", "malformed", "unasked"

_REFUSAL = re.compile(
    r"\W*(?:(?:i['’]?m|i am|we are|we['’]re)\s+(?:very\s+|really\s+)?(?:sorry|unable|not able|not allowed)|sorry\b"
    r"|(?:i|we)\s+(?:can['’]?t|can\s?not|won['’]?t|will not|must decline|decline|refuse|do not feel)\b"
    r"|my apologies|i apologi[sz]e|as an ai\b|unfortunately,? i\b)",
    re.IGNORECASE,
)
"""The openings of plain refusals."""


@dataclass(frozen=True)
class Answer:
    """A model's answer to one call.

    Attributes:
        text: The text.
        ending: ``stop`` if it ended by itself, ``truncated``, or ``refused`` if the model or a filter says so.
        prompt_tokens: Number of tokens that were read.
        tokens: Number of tokens that were written.
    """

    text: str
    ending: str
    prompt_tokens: int = 0
    tokens: int = 0


@dataclass(frozen=True)
class Verdict:
    """An answer that was understood, or the reason why it does not count.

    Attributes:
        level: The level; None if there is none that counts.
        reason: The model's reason for it.
        failure: ``refused``, ``truncated``, ``malformed`` or ``unasked``, if there is no level.
    """

    level: int | None = None
    reason: str = ""
    failure: str | None = None


def verdict(answer: Answer, levels: Sequence[int]) -> Verdict:
    """Return what an answer says.

    A JSON object counts also in a code fence or with words around it, as long as there are not two that disagree.

    Args:
        answer: The answer.
        levels: The levels that are possible.
    """
    if answer.ending in (REFUSED, TRUNCATED):
        return Verdict(failure=answer.ending)
    if not answer.text.strip():
        return Verdict(failure=REFUSED)
    objects = [found for found in _objects(answer.text) if "level" in found]
    understood = [(_level(found["level"]), found.get("reason")) for found in objects]
    if not objects:
        return Verdict(failure=REFUSED if _REFUSAL.match(answer.text) else MALFORMED)
    level, reason = understood[-1]
    agree = {other for other, _ in understood} == {level}
    if not agree or level not in levels or not isinstance(reason, str) or not reason.strip():
        return Verdict(failure=MALFORMED)
    return Verdict(level, reason.strip())


def _level(value: Any) -> int | None:
    if isinstance(value, str) and re.fullmatch(r"\s*[0-9]{1,2}\s*", value):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """Yield the outermost JSON objects in a text."""
    decoder, start = json.JSONDecoder(strict=False), text.find("{")
    while start >= 0:
        try:
            found, end = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            end = start + 1
        else:
            yield found
        start = text.find("{", end)
