"""Answers after phrases such as ``the answer is``: their extent, and whether they are answers at all."""

import re

from distillgame.tasks.grading.currencies import CURRENCY

PHRASE = (
    r"\b[Aa](?:nswers?|NSWER)\b(?:[ \t]+(?:to|for|of|in|we|\()[^.\n:=]{0,60}?)?[\s*_]*"
    r"(?::|=|\b(?:is|are|was|will be|would be|should be|must be)\b)"
    r"|^[ \t#*_>]*(?:[Ff]inal )?[Aa]nswer\W{0,6}\n"
)
"""A multi-line regular expression: ``the answer (in dollars) is``, ``**Answer:**``, a heading ``Answer``."""

_LONGEST = 1000
_CHECKING = re.compile(r"(?i)\b(?:check|verif|confirm)\w*\s+(?:(?:our|the|this|my|that|final)\s+)*$")
_NEGATION = re.compile(r"(?i)\b(?:not|never|neither|nor|or)\b|n't\b")
_SENTENCE_START = re.compile(
    r"(?i)\n\W*(?:(?:so|thus|hence|therefore|then|and),?\s+)?(?:(?:the|our|my)\s+)?(?:(?:final|correct|right)\s+)?$"
)
_LEAD = re.compile(
    r"[\s*_:`]*(?:(?<=\n)[-•]\s+)?"
    r"(?:(?:therefore|thus|then|simply|just|indeed|now|still|again|equal to|given by|approximately|about"
    r"|roughly|around|exactly|probably|likely|clearly|definitely)\b[\s,:]*)*"
    r"[*_`]*"
)
_MATH = re.compile(
    rf"[-+.~≈]?\s*[0-9]|(?:[Mm]inus|[Nn]egative)\s+[0-9.$\\]|[-+]?\s*(?:{CURRENCY})\s*[-+]?[0-9.\\¼½¾⅐-⅞]|[-+]?\s*[¼½¾⅐-⅞]"
    r"|[-+]?\s*[$\\€£√π∞({\[]|[-+]?\(?[A-Za-z](?=\s*(?:$|[-.,;:=+*/^_()|<>\\∈]))"
)
_DISPLAY = re.compile(r"(\$\$|\\\[)(.*?)(?:\$\$|\\\])", re.DOTALL)
_ENCLOSED = re.compile(r"\$[^$]*\$|\\\(.*?\\\)|\{[^{}]*\}")
_END = re.compile(
    r"(?<!\bRs)[.?](?=\s|$)|[—―](?=[A-Za-z]{2})|\s[-—]+\s+(?=[A-Za-z]{2})|\s+\((?=[A-Za-z]{2})"
    r"|,?\s+(?:because|since|so|as|which|where|when|while|but|after|meaning|i\.e)\b"
    r"|,\s+(?!(?:and|or)\b)(?=[A-Za-z]{2,}\s)|,?\s+and\s+(?!sqrt|pi)(?=[a-z]{2,}\s)"
)
_JUDGEMENT = re.compile(
    r"(?i)(?:in)?correct|right|wrong|reasonable|valid|clear|obvious|consistent|unique|in\b|also\b|always\b"
)


def said_after(text: str, start: int, end: int) -> tuple[str | None, bool]:
    """Return the answer that follows a phrase.

    Args:
        text: The whole text.
        start: The phrase's first index.
        end: The index after the phrase.

    Returns:
        The answer, or ``None`` if there is none (``our answer is correct``); and whether it is certain to be one:
        mathematics, an option's letter, or a few words on a last line of their own. A few words elsewhere may or may
        not be an answer.
    """
    if _CHECKING.search(text[max(0, start - 30) : start]):
        return None, False
    window = text[end : end + _LONGEST]
    lead = _LEAD.match(window)
    begin = lead.end() if lead else 0
    if display := _DISPLAY.match(window, begin):
        return display[2].strip() or None, True
    line = window[begin:].partition("\n")[0]
    found = line[: _sentence_end(line)].strip()
    if found and _MATH.match(line) and found.count("}") <= found.count("{"):
        return found, True
    ends_text = len(line) <= len(found) + 4 and not text[end + begin + len(line) :].strip()
    has_own_line = bool(_SENTENCE_START.search("\n" + text[max(0, start - 60) : start]))
    return _words(found, ends_text and has_own_line)


def _words(found: str, is_last_line: bool) -> tuple[str | None, bool]:
    """Return an answer in words, if it is one; a sentence with a number is none, unless it negates the number."""
    number = re.search(r"[0-9]", found) is not None
    if number and _NEGATION.search(found):
        return found, True
    longest = 2 if number else 6
    if not found or len(found.split()) > longest or "}" in found or _JUDGEMENT.match(found):
        return None, False
    return found, is_last_line


def _sentence_end(line: str) -> int:
    """Return the end of the answer in the rest of its line; it never ends inside mathematics or braces."""
    end = _END.search(_ENCLOSED.sub(lambda inside: "0" * len(inside[0]), line))
    return end.start() if end else len(line)
