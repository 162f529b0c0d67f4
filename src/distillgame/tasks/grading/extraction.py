r"""Extraction of the answer from a text.

Explicit markers are ``\boxed{...}`` (or ``\fbox``, or ``\boxed 5``), ``#### ...``, ``<answer>...</answer>``
and phrases such as ``the final answer is ...`` or ``Answer: ...``. **The last marker of any kind wins**, so
that a forced answer at the end overrides every earlier guess, and text after the answer does no harm. In detail:

* Boxes joined by a comma, ``and`` or ``or`` are read as one list: two different boxed answers are a hedge.
* A phrase counts if mathematics or an option's letter follows it; a phrase followed by words (``the answer
  is Monday``) counts only on the last line, or if the text has no other marker.
* ``####`` counts on the last line or with a plain number; elsewhere it is a heading.
* An empty box or tag means that the answer was left out: nothing before it counts.
* Without any marker, a text that consists of an answer alone is the answer. Otherwise the last number is, as is
  usual for GSM8K, unless it is part of an expression (``4\sqrt{3}``) or comes after ``not`` or ``or``.
"""

import re
from collections import deque

from distillgame.tasks.grading.latex import closing
from distillgame.tasks.grading.phrases import PHRASE, said_after
from distillgame.tasks.grading.quantities import parse_quantity

MAX_ANSWER = 1000
"""Length limit of answers in characters; longer texts are not answers."""

_LAST_MARKERS = 50
_MARKER = re.compile(
    r"\\(?P<box>boxed|fbox)(?![A-Za-z])|(?<!\S)(?P<hashes>####)(?!\#)|(?P<tag><answer>)|" + PHRASE,
    re.MULTILINE,
)
_JOINED = re.compile(
    r"[\s$.]*(?:,|,?\s*(?:\\text\s*\{)?\s*(?:and|or)\b\s*\}?)[\s$]*"
    r"(?:[A-Za-z]\s*=\s*)?(?:\\text\s*\{\s*(?:and|or)\s*\}\s*)?"
)
_PLAIN = re.compile(r"[-+$€£]*[0-9][0-9.,/]*\s?%?")
_COMMAND = re.compile(r"\\(?:text|mbox|begin|end)\s*\{[^{}]*\}|\\[A-Za-z]+|\b(?:and|or|sqrt|pi|inf)\b")
_WORD = re.compile(r"(?<![\w^_{(])[^\W\d_]{2,}")
_NUMBER = re.compile(
    r"(?:(?<![\w).])-(?=\\?\$?[0-9]))?(?:\\?\$\s?)?"
    r"(?:\\[dt]?frac\{-?[0-9]+\}\{[0-9]+\}"
    r"|(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?:\.[0-9]+)?(?:/[0-9]+(?![0-9.]))?)"
    r"(?:\s?\\?%)?"
)
_BEFORE_PART = re.compile(r"(?:\b(?:not|or)\s|[\w)}\]]\s*[-+*/^]|[{^_\\])\s*$")
_AFTER_PART = re.compile(r"[}^_(]|\\[a-zA-Z]|[A-Za-z](?![A-Za-z])")


def extract_answer(text: str) -> str | None:
    """Return the answer that ``text`` commits to, or ``None``.

    Never raises, and takes time linear in the length of ``text``. The module's docstring says which marker counts.
    """
    found, answer = _stated(text)
    if not found:
        bare = text.strip()
        is_bare = len(bare) <= MAX_ANSWER and "\n" not in bare and _is_bare(bare)
        answer = _clean(bare) if is_bare else _last_number(text)
    return answer if answer and len(answer) <= MAX_ANSWER else None


def stated_answer(text: str) -> str | None:
    """Return the answer at the last explicit marker, without falling back to numbers; else ``None``."""
    return _stated(text)[1]


def gold_answers(solution: str) -> list[str]:
    r"""Return the gold answer of a worked solution or a bare answer, in every reading that counts as right.

    The last ``\boxed{}`` is the answer; if it is joined to others (``\boxed{-2}$ and $\boxed{1}``), their list is
    accepted as well. Without a box, the last ``####`` counts, then a phrase, then a one-line solution as a whole.
    """
    boxes = [match for match in _MARKER.finditer(solution) if match["box"]]
    for match in reversed(boxes):
        last = _box(solution, match)
        if last:
            joined = _boxes(solution, match, boxes)
            return [last] if joined in (None, last) else [last, str(joined)]
    _, hashes, tail = solution.rpartition("####")
    bare = solution.strip()
    answer = _clean(tail.partition("\n")[0]) if hashes else _stated(solution)[1]
    if not answer and not hashes and "\n" not in bare:
        answer = _clean(bare)
    return [answer] if answer and len(answer) <= MAX_ANSWER else []


def _stated(text: str) -> tuple[bool, str | None]:
    """Return whether there is a marker, and the answer at the last one (``None`` if it is empty)."""
    markers = deque(_MARKER.finditer(text), _LAST_MARKERS)
    words = None
    for match in reversed(markers):
        if match["box"]:
            return True, _boxes(text, match, list(markers))
        if match["tag"]:
            window = text[match.end() : match.end() + MAX_ANSWER].lstrip()
            inside, closed, _ = window.partition("</answer>")
            return True, _clean(inside if closed else window.partition("\n")[0]) or None
        if match["hashes"]:
            line, _, rest = text[match.end() :].partition("\n")
            line = _clean(line[:MAX_ANSWER])
            if line and (_PLAIN.fullmatch(line) or not (rest.strip() or line.endswith(":"))):
                return True, line
        else:
            answer, firm = said_after(text, match.start(), match.end())
            if answer and firm:
                return True, _clean(answer)
            words = words or answer
    return words is not None, words


def _last_number(text: str) -> str | None:
    """Return the last number, unless it is part of an expression or follows ``not`` or ``or``."""
    found = deque(_NUMBER.finditer(text), 1)
    if not found:
        return None
    number = found[0]
    before = text[max(0, number.start() - 20) : number.start()]
    if _BEFORE_PART.search(before) or _AFTER_PART.match(text, number.end()):
        return None
    return _clean(number[0])


def _boxes(text: str, last: re.Match[str], markers: list[re.Match[str]]) -> str | None:
    """Return the content of the box at ``last`` and of those joined to it, or ``None`` if it is empty."""
    content = _box(text, last)
    if not content:
        return None
    contents, right = [content], last
    for match in reversed([match for match in markers if match["box"] and match.end() < last.start()]):
        end = closing(text[: right.start()], match.end())
        if not end or not _JOINED.fullmatch(text, end, right.start()):
            break
        contents.insert(0, _clean(text[match.end() + 1 : end - 1]))
        right = match
    return ", ".join(dict.fromkeys(contents))


def _box(text: str, match: re.Match[str]) -> str:
    r"""Return the content of a box; an unclosed one ends with its line, ``\boxed 5`` at the next blank."""
    window = text[match.end() : match.end() + MAX_ANSWER].lstrip()
    if not window.startswith("{"):
        return _clean(re.split(r"[\s$]|\\[)\]]", window, maxsplit=1)[0])
    end = closing(window, 0)
    return _clean(window[1 : end - 1] if end else window[1:].partition("\n")[0])


def _is_bare(text: str) -> bool:
    """Return whether a text is an answer alone: mathematics, a number with its unit, or a few words."""
    words = _WORD.findall(_COMMAND.sub(" ", text))
    digits = re.search(r"[0-9]", text)
    return not words or parse_quantity(text) is not None or (not digits and len(words) <= 3)


def _clean(text: str) -> str:
    """Strip blanks, Markdown emphasis, a final full stop, and mathematical delimiters around the whole."""
    text = text.strip().strip("*_`").strip()
    text = text.removesuffix("$$").removeprefix("$$").strip()
    return text.rstrip(".,;: \n").strip("*_` ")
