"""The parts of which an answer consists: numbers, words, lists, tuples, intervals, matrices, relations."""

import re
from dataclasses import dataclass

from distillgame.tasks.grading.quantities import Quantity

_NOT_IN_NAMES = re.compile(r"[_^]\s*\{?-?[0-9]+\}?|(?<=[A-Za-z'])\([^()]*\)|\\(?:pi|infty|frac|sqrt)(?![A-Za-z])")


def is_name(text: str) -> bool:
    """Return whether an expression is a variable, a function value, or made of them without coefficients."""
    rest = _NOT_IN_NAMES.sub("", text)
    return re.search(r"[A-Za-z]", rest) is not None and re.search(r"[0-9]", rest) is None


@dataclass(frozen=True)
class Node:
    """An answer or a part of one; ``text`` is its tidied spelling."""

    text: str


@dataclass(frozen=True)
class Amount(Node):
    """A plain number, perhaps with a unit."""

    quantity: Quantity


@dataclass(frozen=True)
class Words(Node):
    """A name, a word, an option's letter or a time of day."""


@dataclass(frozen=True)
class Numeral(Node):
    """Digits in a stated base; their value in another base is a different answer."""

    digits: str
    base: int


@dataclass(frozen=True)
class Ratio(Node):
    """``a : b`` in whole numbers."""

    parts: tuple[int, ...]


@dataclass(frozen=True)
class Many(Node):
    """Several answers or a set: two or more items whose order does not matter."""

    items: tuple[Node, ...]


@dataclass(frozen=True)
class Ordered(Node):
    """A tuple or an interval: the order of the items and the kinds of both brackets matter."""

    opening: str
    items: tuple[Node, ...]
    closing: str


@dataclass(frozen=True)
class Union(Node):
    r"""Pieces joined by ``\cup``."""

    pieces: tuple[Node, ...]


@dataclass(frozen=True)
class Matrix(Node):
    """Rows of cells; a column vector has rows of one cell."""

    rows: tuple[tuple[Node, ...], ...]


@dataclass(frozen=True)
class Relation(Node):
    """An equation, an inequality or a chain of them, with one more side than signs; ``>`` is reversed to ``<``."""

    signs: tuple[str, ...]
    sides: tuple[Node, ...]

    @property
    def name(self) -> str | None:
        """The name that an equation gives a value: ``x``, ``f(2)``, ``a+b`` or ``Area``, but not ``2x``."""
        left = self.sides[0].text
        return left.replace(" ", "") if set(self.signs) == {"="} and is_name(left) else None


@dataclass(frozen=True)
class Expression(Node):
    """Anything else, which is left to computer algebra."""
