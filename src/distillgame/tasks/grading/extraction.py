r"""Extraction of the answer from a text.

Explicit markers are ``\boxed{...}`` (or ``\fbox``, or ``\boxed 5``), ``#### ...``, ``<answer>...</answer>``
and phrases such as ``the final answer is ...`` or ``Answer: ...``. **The last marker of any kind wins**, so
that a forced answer at the end overrides every earlier guess, and text after the answer does no harm. In detail:

* Boxes joined by a comma, ``and`` or ``or`` are read as one list: two different boxed answers are a hedge.
* A phrase counts if mathematics or an option's letter follows it; a phrase followed by words (``the answer
  is Monday``) counts only on the last line, or if the text has no other marker.
* ``####`` counts on the last line or with a plain number; elsewhere it is a heading.
* A box inside another one is a part of the outer one's answer.
* An empty box or tag means that the answer was left out: nothing before it counts. One that is only talked about
  (``I put it in `\boxed{}```) does not count.
* Without any marker, a text that consists of an answer alone is the answer. Otherwise the last number is, as is
  usual for GSM8K, unless it is part of an expression (``4\sqrt{3}``) or comes after ``not`` or ``or``.
"""

import re
from collections import deque

from distillgame.tasks.grading.characters import plain
from distillgame.tasks.grading.currencies import CURRENCY
from distillgame.tasks.grading.latex import closing, tidy, unstyle
from distillgame.tasks.grading.phrases import PHRASE, said_after
from distillgame.tasks.grading.prose import last_number
from distillgame.tasks.grading.quantities import parse_quantity

MAX_ANSWER = 1000
"""Length limit of answers in characters; longer texts are not answers."""

_LAST_MARKERS = 50
_LONGEST_JOINT = 200
_MARKER = re.compile(
    r"\\(?P<box>boxed|fbox|framebox)(?![A-Za-z])|(?<!\S)(?P<hashes>####)(?!\#)|(?P<tag><answer>)|" + PHRASE,
    re.MULTILINE,
)
_PARAMETERS = re.compile(r"\s*(?:\[[^\]{}\n]*\]\s*)*(?=\{)|\s*")
_SPACE = r"(?:[\s$.~&*]|\\[()\[\],;:> !]|\\q?quad(?![A-Za-z]))*"
_WORD_BETWEEN = r"(?:\\(?:text(?:rm|bf|it)?|mbox|mathrm)\s*\{\s*)?(?:and|or)\b(?:\s+also\b)?\s*\}?"
_JOINED = re.compile(
    rf"{_SPACE}(?:[,;]{_SPACE}(?:{_WORD_BETWEEN})?|{_WORD_BETWEEN}|\\(?:land|lor|q?quad)(?![A-Za-z])){_SPACE}"
    rf"(?:[A-Za-z]\s*=\s*)?(?:\\text\s*\{{\s*(?:and|or)\s*\}}\s*)?"
)
_MENTION = re.compile(r"(?:[`\"“'‘]|(?i:\b(?:in|within|inside|into|using|with)\s+(?:a\s+|an\s+|the\s+)?)[$`\"“*]*)\s*$")
_PLACEHOLDER = re.compile(r"(?:\\[lc]?dots|(?:your|the|my|final|\s)*answer(?:\s+here)?|[^\w]*)", re.IGNORECASE)
_COMMAND = re.compile(r"\\(?:text|mbox|begin|end)\s*\{[^{}]*\}|\\[A-Za-z]+|\b(?:and|or|sqrt|pi|inf)\b")
_WORD = re.compile(r"(?<![\w^_{(])[^\W\d_]{2,}")


def extract_answer(text: str) -> str | None:
    """Return the answer that ``text`` commits to, or ``None``.

    Never raises, and takes time linear in the length of ``text``. The module's docstring says which marker counts.
    """
    found, answer = _stated(text)
    if not found:
        bare = plain(text).strip()
        is_bare = len(bare) <= MAX_ANSWER and "\n" not in bare and _is_bare(bare)
        answer = _clean(bare) if is_bare else last_number(text)
    return answer if answer and len(answer) <= MAX_ANSWER else None


def stated_answer(text: str) -> str | None:
    """Return the answer at the last explicit marker, without falling back to numbers; else ``None``."""
    return _stated(text)[1]


def gold_answers(solution: str) -> list[str]:
    r"""Return the gold answer of a worked solution or a bare answer, in every reading that counts as right.

    The last ``\boxed{}`` is the answer; if it is joined to others (``\boxed{-2}$ and $\boxed{1}``), their list is
    accepted as well. Without a box, the last ``####`` counts, then a phrase, then a one-line solution as a whole.
    """
    boxes = [match for match in _MARKER.finditer(plain(solution)) if match["box"]]
    for inner in reversed(boxes):
        match = _outermost(solution, inner, boxes)
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
    spelled = plain(text)
    markers = deque(_MARKER.finditer(spelled), _LAST_MARKERS)
    words, mentioned = None, False
    for match in reversed(markers):
        if match["box"] or match["tag"]:
            answer = _boxes(text, match, list(markers)) if match["box"] else _tagged(text, match)
            if not _is_mention(text, match, answer):
                return True, answer
            mentioned = True
        elif match["hashes"]:
            line, _, rest = spelled[match.end() :].partition("\n")
            line = _clean(line[:MAX_ANSWER])
            if line and (_is_number(line) or not (rest.strip() or line.endswith(":"))):
                return True, line
        else:
            answer, firm = said_after(spelled, match.start(), match.end())
            if answer and firm:
                return True, _clean(answer)
            words = words or answer
    return words is not None or mentioned, words


def _is_mention(text: str, marker: re.Match[str], answer: str | None) -> bool:
    r"""Return whether a marker without an answer is only talked about: ``I put it in `\boxed{}```."""
    before = text[max(0, marker.start() - 30) : marker.start()]
    return _PLACEHOLDER.fullmatch(answer or "") is not None and _MENTION.search(before) is not None


def _tagged(text: str, tag: re.Match[str]) -> str | None:
    window = text[tag.end() : tag.end() + MAX_ANSWER].lstrip()
    inside, closed, _ = window.partition("</answer>")
    return _clean(inside if closed else window.partition("\n")[0]) or None


def _boxes(text: str, last: re.Match[str], markers: list[re.Match[str]]) -> str | None:
    """Return the content of the box at ``last`` and of those joined to it, or ``None`` if it is empty."""
    boxes = [match for match in markers if match["box"] and match.end() < last.start()]
    right = _outermost(text, last, boxes)
    content = _box(text, right)
    if not content:
        return None
    contents = [content]
    for match in reversed(boxes):
        end = _argument(text, match)[1]
        if not end or end > right.start():
            continue
        if right.start() - end > _LONGEST_JOINT or not _JOINED.fullmatch(text, end, right.start()):
            break
        right = _outermost(text, match, boxes)
        contents.insert(0, _box(text, right))
    return ", ".join(dict.fromkeys(contents))


def _outermost(text: str, box: re.Match[str], boxes: list[re.Match[str]]) -> re.Match[str]:
    """Return the first of ``boxes`` that has ``box`` inside, or ``box`` itself."""
    near = (other for other in boxes if 0 < box.start() - other.start() < MAX_ANSWER)
    return next((other for other in near if _argument(text, other)[1] > box.start()), box)


def _argument(text: str, box: re.Match[str]) -> tuple[int, int]:
    """Return where the braces after a box begin and end; the end is 0 if nothing closes them in time."""
    window = text[box.end() : box.end() + MAX_ANSWER]
    parameters = _PARAMETERS.match(window)
    skipped = parameters.end() if parameters else 0
    end = closing(window, skipped)
    return box.end() + skipped, end and box.end() + end


def _box(text: str, match: re.Match[str]) -> str:
    r"""Return the content of a box; an unclosed one ends with its line, ``\boxed 5`` at the next blank."""
    start, end = _argument(text, match)
    if end:
        content = plain(text[start + 1 : end - 1])
        return _clean(unstyle(content) if _MARKER.search(content) else content)
    window = text[start : start + MAX_ANSWER]
    if window.startswith("{"):
        return _clean(window[1:].partition("\n")[0])
    return _clean(re.split(r"[\s$]|\\[)\]]", window, maxsplit=1)[0])


def _is_number(text: str) -> bool:
    """Return whether a text is a number, perhaps with a well-known unit, but without other words."""
    words = re.search(r"(?<![\\A-Za-z])[A-Za-z]{2,}", re.sub(CURRENCY, " ", text))
    quantity = parse_quantity(tidy(text))
    return quantity is not None and (not words or quantity.percent or quantity.unit != "")


def _is_bare(text: str) -> bool:
    """Return whether a text is an answer alone: mathematics, a number with its unit, or a few words."""
    words = _WORD.findall(_COMMAND.sub(" ", text))
    digits = re.search(r"[\d¼½¾⅐-⅞]", text)
    return not words or parse_quantity(tidy(text)) is not None or (not digits and len(words) <= 3)


def _clean(text: str) -> str:
    """Strip blanks, Markdown emphasis, a final full stop, and mathematical delimiters around the whole."""
    text = text.strip().strip("*_`").strip()
    text = text.removesuffix("$$").removeprefix("$$").strip()
    text = re.sub(r"[ \t]{2,}", " ", text)
    return text.rstrip(".,;: \n").strip("*_` ")
