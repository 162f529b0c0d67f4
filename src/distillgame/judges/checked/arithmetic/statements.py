r"""The arithmetic statements of a text, and whether they hold.

A statement is an equality of two expressions without unknowns, with an operation in at least one of them. In a chain
``3 + 4 + 5 = 7 + 5 = 12`` every two neighbours are one. Equalities with an unknown are none, and so are those that
cannot be read. Where a text can be read in two ways, it is a statement only if it holds.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from distillgame.judges.checked.arithmetic.clauses import clauses, sides
from distillgame.judges.checked.arithmetic.grammar import Expression, read
from distillgame.judges.checked.arithmetic.lexicon import BETWEEN, CHANGES_WHAT_FOLLOWS, CONVERTIBLE
from distillgame.judges.checked.arithmetic.numbers import Value, agree
from distillgame.judges.checked.arithmetic.tokens import Kind, Token, Tokens, tokens
from distillgame.tasks.grading.characters import plain

ANNOTATION = re.compile(r"<<([^<>\n]{0,200})>>")
"""GSM8K's annotation of a calculation, which repeats the text around it."""


ROUNDING = re.compile(r"nearest|round|approx|about", re.IGNORECASE)
"""Words behind a statement that say that its right side is rounded."""


PERCENT_CHANGE = re.compile(r"[-+]\s*\d+(?:\.\d+)?\s*\\?%\s*$")
"""The end of a side that adds a percentage of what stands before it, or takes it off: ``80 - 25%``."""

OTHERWISE = re.compile(
    r"[^\n.=+]{0,12}?(?:\(?\\?p?mod\b|\bin (?:binary|base|hex)|\bround(?:ed|ing)? (?:up|down)|\b[ap]\.?m\b|\bd[bB]\b)|"
    r" (?:full|whole|complete)\b|[\s\"'$,)]*(?:\?|(?:is|was|were|are|would be) (?:wrong|false|incorrect|true,|not)\b|"
    r"(?:but|and|which|that)\b[^\n.=]{0,12}\b(?:wrong|false|incorrect)\b)"
)
"""Words behind a statement by which it is of another arithmetic, or is not claimed."""

UNIT = 12
"""Characters behind a statement in which its unit is looked for."""

HOURS = re.compile(r"\d\s*[ap]\.?m\b|o'clock")
"""Times of the day, which are counted round and round."""

NOT_CLAIMED = re.compile(
    r"(?:\bnot (?:true|right|correct) that|\bif|\bsuppose|\bassume|\binstead of)\s*\$?\s*$", re.IGNORECASE
)
"""Words before a statement by which it is not claimed."""


@dataclass(frozen=True)
class Statement:
    """A statement.

    Attributes:
        start: Where it begins in the text.
        end: Where it ends, without a unit.
        true: True if it holds.
        result: Its right side.
    """

    start: int
    end: int
    true: bool
    result: Value


def statements(text: str) -> list[Statement]:
    """Return the statements of a text in their order; an annotation counts only where the text does not repeat it."""
    spelled = _without_drawings(plain(text))
    found = list(_in_plain(ANNOTATION.sub(lambda note: " " * len(note[0]), spelled), 0))
    notes = list(ANNOTATION.finditer(spelled))
    place = 0
    for note in notes:
        while place < len(found) and found[place].end < note.start():
            place += 1
        if place == len(found) or found[place].start > note.end():
            inside = list(_in_plain(note[1], note.start(1)))
            found[place:place] = inside
            place += len(inside)
    return found


def value_of(text: str) -> Value | None:
    """Return the value of a text that is one expression, perhaps with a unit or after an equality sign."""
    found = tokens(plain(text).rpartition("=")[2])
    parts = clauses([Token(Kind.RELATION, "=", 0, 0, []), *found])
    expression = _first(sides(parts[0])[0][1]) if len(parts) == 1 else None
    return expression.value if expression else None


def _without_drawings(text: str) -> str:
    """Return the text of the same length without the code of drawings."""
    pieces, position = [], 0
    while (start := text.find("[asy]", position)) >= 0 and (end := text.find("[/asy]", start)) >= 0:
        pieces += [text[position:start], "\n".ljust(end + 6 - start)]
        position = end + 6
    return "".join([*pieces, text[position:]])


def _in_plain(text: str, offset: int) -> Iterator[Statement]:
    for clause in clauses(tokens(text)):
        between, relations = sides(clause)
        lefts, rights = [_last(side, text) for side in between[:-1]], [_first(side) for side in between[1:]]
        for place, relation in enumerate(relations):
            left, right = lefts[place], rights[place]
            if left is None or right is None or left.value is None or right.value is None:
                continue
            if not (left.value.computed or right.value.computed):
                continue
            start, end = between[place][left.first].start, between[place + 1][right.last - 1].end
            about = relation.text == "~" or ROUNDING.search(text, end, end + 60) is not None
            true = agree(left.value, right.value, about)
            rate = re.search(r"/|\bper\b", text[start : end + UNIT]) is not None
            converts = _is_conversion(left, right, (between[place], between[place + 1]), rate)
            plain_numbers = left.value.decimals is not None or right.value.decimals is not None
            aside = _is_aside(text, start, between[place][left.last - 1].end, end)
            vague = converts or aside or (relation.text == "~" and not plain_numbers)
            if true or not (left.value.doubtful or right.value.doubtful or vague):
                yield Statement(start + offset, end + offset, true, right.value)


def _first(side: Tokens) -> Expression | None:
    """Return the expression right behind an equality sign."""
    if not side:
        return None
    found = read(side, 0)
    following = side[found.behind] if found.behind < len(side) else None
    if any(token.text == "of" for token in side[: found.last]) or _is_fraction(side[found.behind :]):
        found = _doubt(found)  # 15% of 300 and 5 and 2/3 may end before their second number.
    if found.value is None or (following is not None and following.kind is Kind.UNKNOWN):
        return None
    if following is not None and following.kind in (Kind.NUMBER, Kind.GROUP, Kind.COMMAND):
        return _doubt(found) if found.behind == found.last else found
    return found


def _last(side: Tokens, text: str) -> Expression | None:
    """Return the expression right before an equality sign."""
    place, found = 0, None
    while place < len(side):
        token = side[place]
        if token.kind is Kind.WORD:
            place += 1
            continue
        found = _readable(side, place, text)
        if found.value is None:
            # Whatever is joined to something unknown is unknown, up to the next word that is no part of it.
            place = _next_word(side, max(found.behind, place + 1))
        else:
            place = found.behind
            if place < len(side) and side[place].kind in (Kind.SIGN, Kind.UNKNOWN):
                found, place = Expression(None, found.first, place, place), _next_word(side, place + 1)
    return found if found is not None and found.behind == len(side) and found.value is not None else None


def _readable(side: Tokens, place: int, text: str) -> Expression:
    """Return the expression at an index, or one without a value if what stands before it belongs to it."""
    token, before = side[place], side[place - 1] if place else None
    if token.kind is Kind.SIGN and before is not None:
        glued = place + 1 < len(side) and token.end == side[place + 1].start and token.start > before.end
        if not (token.text == "-" and glued):
            return Expression(None, place, place + 1, place + 1)
    found = read(side, place)
    if found.value is None or before is None:
        return found
    part = place > 1 and side[place - 2].kind is Kind.NUMBER and _is_fraction(side[place - 1 :])
    # "Year 3 = 5 * 7" is no equality of numbers, unless a formula begins with the number.
    label = not found.value.computed and "$" not in text[before.end : token.start]
    doubtful = before.kind is not Kind.WORD or label or part or _changed(side, place)
    return _doubt(found) if doubtful else found


def _changed(side: Tokens, place: int) -> bool:
    """Return whether the words before an expression make it something else: ``half of 20``."""
    place -= 1
    while place >= 0 and side[place].text.lower() in BETWEEN:
        place -= 1
    return place >= 0 and CHANGES_WHAT_FOLLOWS.match(side[place].text) is not None


def _is_fraction(behind: Tokens) -> bool:
    """Return whether tokens begin with the fraction of a mixed number in words: ``and 2/3``."""
    return len(behind) > 3 and behind[0].text == "and" and behind[2].text == "/"


def _is_conversion(left: Expression, right: Expression, between: tuple[Tokens, Tokens], rate: bool) -> bool:
    """Return whether an equality may convert units: ``14 hours = 14 * 60``, ``2.50 - 2.24 = 26 cents``."""
    count, parts = left.last - left.first, between[0][left.first : left.last]
    single = count == 1 or (count == 3 and parts[1].text == "/" and parts[0].end == parts[2].start - 1)
    units = [_units(side) for side in between]
    small = any((unit in units[0]) != (unit in units[1]) for unit in (("money", "cent"), ("count", "dozen")))
    # A result in another unit of one kind is converted silently unless a rate is given: ``15 min + 45 min = 1 hour``.
    other = any(kind in dict(units[0]) and (kind, unit) not in units[0] for kind, unit in units[1])
    silent = other and not rate
    return (single and left.behind > left.last) or small or silent or any(map(_is_compound, between))


def _is_aside(text: str, start: int, middle: int, end: int) -> bool:
    """Return whether an equality is of another arithmetic, takes a percentage of itself, or is not claimed."""
    if PERCENT_CHANGE.search(text, start, middle) or OTHERWISE.match(text, end, end + 60):
        return True
    written = text[start:end]
    if ("¢" in written and "$" in written) or HOURS.search(written):
        return True
    return NOT_CLAIMED.search(text, max(0, start - 30), start) is not None


def _is_compound(side: Tokens) -> bool:
    """Return whether different units of one kind are added: ``1 hour + 30 minutes``."""
    kinds = [kind for kind, _ in _units(side)]
    return len(kinds) > len(set(kinds)) and any(token.kind is Kind.SIGN and token.text in "+-" for token in side)


def _units(side: Tokens) -> set[tuple[str, str]]:
    names = (token.text.lower().rstrip("s") for token in side)
    return {CONVERTIBLE[name] for name in names if name in CONVERTIBLE}


def _next_word(side: Tokens, place: int) -> int:
    while place < len(side) and not (
        side[place].kind is Kind.WORD and (place + 1 == len(side) or side[place + 1].kind is not Kind.SIGN)
    ):
        place += 1
    return place


def _doubt(found: Expression) -> Expression:
    if found.value is None:
        return found
    return replace(found, value=replace(found.value, doubtful=True))
