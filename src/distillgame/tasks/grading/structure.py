r"""The structure of an answer, read from its text: lists, tuples, intervals, matrices, relations, words, ...

Only parts that need algebra remain text (:class:`Expression`). Commas, ``and`` and ``or`` outside brackets make
an unordered list, ``(a, b)`` and ``[a, b)`` are ordered, ``\{a, b\}`` is not; ``1 \pm x`` is a list of two.
"""

import re
from itertools import chain

from distillgame.tasks.grading.latex import closing, enclosed, split, tidy
from distillgame.tasks.grading.nodes import (
    Amount,
    Expression,
    Many,
    Matrix,
    Node,
    Numeral,
    Ordered,
    Ratio,
    Relation,
    Union,
    Words,
    is_name,
)
from distillgame.tasks.grading.quantities import NOT_UNITS, UNIT_WORDS, parse_quantity

_MAX_DEPTH = 6
_AND = re.compile(r",?\s*(?:\\text\{\s*,?\s*(?:and|or)\s*,?\s*\}|(?<![A-Za-z\\])(?:and|or)(?![A-Za-z]))\s*,?")
_COMMA, _SPACED_COMMA = re.compile(r"[,;]"), re.compile(r";|,(?=\s)")
_CUP, _ROW, _CELL = re.compile(r"\\cup(?![A-Za-z])"), re.compile(r"\\\\"), re.compile(r"&")
_APPROX = re.compile(r"\\approx(?![A-Za-z])")
_SIGN = re.compile(r"\\(?:le|ge|ne|in|equiv)(?![A-Za-z])|[=<>]")
_MATRIX = re.compile(r"\\begin\{([pb]?matrix|array)\}(?:\{[clr| ]*\})?(.*)\\end\{\1\}", re.DOTALL)
_NUMERAL = re.compile(r"(-?[0-9A-F.]*[0-9][0-9A-F.]*)_(?:\{([0-9]+)\}|([0-9]))")
_RATIO = re.compile(r"[0-9]+(?:\s*(?::|\bto\b|\\text\s*\{\s*to\s*\})\s*[0-9]+)+")
_TIME = re.compile(r"[0-9]{1,2}:[0-9]{2}(?:\s*[ap]\.?m)?", re.IGNORECASE)
_PROSE = re.compile(r"(?=.*[^\W\d_]{3})[^\W\d_][\w\s.,'’:()&/%-]*")
_OPTION = re.compile(r"\(?([A-Z])\)?|\(?([A-Z])\)(?!\s*(?:[-+*/^=<>_,]|\\c|\\times))(?!.*\([A-Z]\)).*", re.DOTALL)
_TEXT = re.compile(r"\\text\s*\{([^{}]*)\}")
_LEAD = re.compile(
    r"(?:=+>?|-+>|:|\\(?:approx|sim|equiv|therefore|implies|[Rr]ightarrow|to)(?![A-Za-z]))\s*"
    r"|(?:\\text\s*\{\s*)?(?:the\s+)?(?:final\s+)?(?:answer|result|total)\s*(?:is\b|[:=])\s*\}?\s*"
    r"|(?:\\text\s*\{\s*)?(?:approximately|approx\.?|about|roughly|around|exactly|equals?)(?:\s*\}|\s)\s*"
    r"(?=[^A-Za-z\s]|USD|EUR|GBP|Rs|US)|the\s+(?=[0-9])",
    re.IGNORECASE,
)
_BOTH = re.compile(r",?\s*(?:\\text\s*\{\s*and\s*\}|(?<![A-Za-z\\])and(?![A-Za-z])|\\land(?![A-Za-z]))\s*")
_TEXT_OPENING = re.compile(r"\\text\s*\{")
_TRAILING_TEXT = re.compile(r"(?<=.)\s*\\text\s*\{[^{}]*\}(?:\s*\^\s*\{?[0-9]\}?)?$")
_TRAILING_UNIT = re.compile(rf"(?<=[\s}})])(?:(?:square|cubic|sq|cu)\s+)?(?:{'|'.join(UNIT_WORDS)})(?:\^[0-9])?$")


def read(answer: str) -> Node:
    """Read the structure of an answer; never raises."""
    return _read(tidy(answer), 0)


def _read(text: str, depth: int) -> Node:
    text, quoted = _unwrap(text)
    node = _simple(text)
    if node is None and depth < _MAX_DEPTH:
        node = _conjunction(text, depth + 1) or _structure(_AND.sub(", ", text), depth + 1)
    if node:
        return node
    if quoted or _PROSE.fullmatch(text):
        return Words(text)
    text = text.replace(r"\$", " ").replace("$", " ").strip()
    unit = _TRAILING_TEXT.search(text) or _TRAILING_UNIT.search(text)
    if unit and not NOT_UNITS.search(unit[0]):
        text = text[: unit.start()].strip()
    return Expression(text)


def _simple(text: str) -> Node | None:
    """Read ``text`` as a number, a numeral, a time, a ratio or an option's letter, if it is one."""
    if quantity := parse_quantity(text):
        return Amount(text, quantity)
    if numeral := _NUMERAL.fullmatch(text):
        return Numeral(text, numeral[1], int(numeral[2] or numeral[3]))
    if _TIME.fullmatch(_TEXT.sub(r"\1", text)):
        return Words(text)
    if _RATIO.fullmatch(text):
        return Ratio(text, tuple(map(int, re.findall("[0-9]+", text))))
    option = _OPTION.fullmatch(_TEXT.sub(r"\1", text))
    return Words(option[1] or option[2]) if option else None


def _unwrap(text: str) -> tuple[str, bool]:
    """Strip delimiters around a whole answer; also return whether it was marked as text."""
    quoted = False
    while True:
        before = text
        for left, right in (("$", "$"), (r"\(", r"\)"), (r"\[", r"\]")):
            inner = text[len(left) : -len(right)]
            if text == left + inner + right and left not in inner.replace(r"\$", ""):
                text = inner.strip()
        if (opening := _TEXT_OPENING.match(text)) and closing(text, opening.end() - 1) == len(text):
            text, quoted = text[opening.end() : -1].strip(" .,;:"), True
        text = text[lead.end() :] if (lead := _LEAD.match(text)) else text
        pair = enclosed(text)
        if pair and pair[0] + pair[2] in ("{}", "()") and not _OPTION.fullmatch(text):
            grouped = pair[0] == "{" and parse_quantity(pair[1])
            text = pair[1] if grouped or "," not in pair[1] else text
        if text == before:
            return text, quoted


def _structure(text: str, depth: int) -> Node | None:
    """Read ``text`` as a list, row, union, matrix or relation, if it is one."""
    pair = enclosed(text)
    items = _items(pair[1] if pair else text)
    if pair and (pair[0] == r"\{" or (pair[0] == "{" and len(items) > 1)) and items:
        return _many(text, items, depth)
    if pair and len(items) > 1:
        return Ordered(text, pair[0], tuple(_read(item, depth) for item in items), pair[2])
    if len(items) > 1 or r"\pm" in text:
        return _many(text, items, depth)
    pieces = split(text, _CUP)[0]
    if len(pieces) > 1:
        return Union(text, tuple(_read(piece, depth) for piece in pieces))
    if matrix := _MATRIX.fullmatch(text):
        rows = [row for row in split(matrix[2].strip(), _ROW)[0] if row]
        return Matrix(text, tuple(tuple(_read(cell, depth) for cell in split(row, _CELL)[0]) for row in rows))
    return _relation(text, depth)


def _items(text: str) -> list[str]:
    """Split at commas; if some are followed by a blank, the others may separate thousands."""
    pieces = split(text, _SPACED_COMMA)[0]
    sides = split(text, _SIGN)[0]
    if len(pieces) == 1 < len(sides) and all(
        len(split(side, _COMMA)[0]) == 1 or parse_quantity(side) for side in sides
    ):
        return [text]
    if len(pieces) == 1:
        pieces = split(text, _COMMA)[0]
    else:
        pieces = list(chain(*([piece] if parse_quantity(piece) else split(piece, _COMMA)[0] for piece in pieces)))
    return [piece for piece in pieces if piece]


def _many(text: str, items: list[str], depth: int) -> Node:
    signed = chain(*(_both_signs(item) if r"\pm" in item else (item,) for item in items))
    nodes = [_read(item, depth) for item in signed]
    flat = chain(*(node.items if isinstance(node, Many) else (node,) for node in nodes))
    unique = tuple({node.text: node for node in flat}.values())
    return unique[0] if len(unique) == 1 else Many(text, unique)


def _both_signs(item: str) -> tuple[str, str]:
    return item.replace(r"\pm", "+").replace(r"\mp", "-"), item.replace(r"\pm", "-").replace(r"\mp", "+")


def _conjunction(text: str, depth: int) -> Node | None:
    """Read two bounds of one variable that hold together as one relation: ``x > 1 and x < 3`` as ``1 < x < 3``."""
    halves = _BOTH.split(text)
    bounds = [_relation(half, depth) for half in halves] if len(halves) == 2 else []
    for pair in (bounds, bounds[::-1]):
        match pair:
            case [Relation(_, (below,), (Amount() as least, name)), Relation(_, (above,), (other, Amount() as most))]:
                joined = name.text == other.text and least.quantity.value < most.quantity.value
                if joined and {below, above} <= {"<", r"\le"}:
                    return Relation(text, (below, above), (least, name, most))
    return None


def _relation(text: str, depth: int) -> Node | None:
    exact, *rounded = split(text, _APPROX)[0]
    if rounded:
        return _read(rounded[-1] if is_name(exact) else exact, depth)
    sides, signs = split(text, _SIGN)
    if not signs or not all(sides):
        return None
    if signs == [r"\in"]:
        return _read(sides[1], depth)
    signs = ["=" if sign == r"\equiv" else sign for sign in signs]
    if set(signs) <= {">", r"\ge"}:
        sides, signs = sides[::-1], [{">": "<", r"\ge": r"\le"}[sign] for sign in reversed(signs)]
    return Relation(text, tuple(signs), tuple(_read(side, depth) for side in sides))
