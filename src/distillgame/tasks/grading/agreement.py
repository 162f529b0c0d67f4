"""Agreement of two answers: by structure first, by computer algebra only where it is needed."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

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
)
from distillgame.tasks.grading.quantities import Quantity, same_quantity

_BLANKS = re.compile(r"(?<![0-9A-Za-z])\s+|\s+(?![0-9A-Za-z])")
_NOT_IN_WORDS = re.compile(r"\\text|[\s.,'’\"{}()$]")
_ARTICLE = re.compile(r"^\s*(?:the|an|a)\s+", re.IGNORECASE)
_SYMBOL = re.compile(r"(?!\\(?:pi|infty)$)\\?[A-Za-z]+")


class Algebra(Protocol):
    """The two questions about LaTeX expressions that need computer algebra."""

    def equal(self, gold: str, answer: str) -> bool:
        """Return whether both have the same value for all values of their variables."""

    def proportion(self, gold: str, answer: str) -> int:
        """Return the sign of ``gold / answer`` if that is a constant other than zero, else 0."""


@dataclass(frozen=True)
class Matcher:
    """A comparison of answers with gold answers.

    Attributes:
        algebra: Decides what structure alone cannot.
        percent: Whether the gold solution speaks of percentages, so that ``44%`` may be meant by a bare 44.
    """

    algebra: Algebra
    percent: bool = False

    def agree(self, gold: Node, answer: Node) -> bool:
        """Return whether ``answer`` states ``gold``; one wrong or missing part makes it wrong."""
        if gold.text and _BLANKS.sub("", gold.text) == _BLANKS.sub("", answer.text):
            return True
        agreed = False
        match gold, answer:
            case (Many(), _) | (_, Many()):
                agreed = self._lists(gold, answer)
            case (Relation(), _) | (_, Relation()):
                agreed = self._relations(gold, answer)
            case (Words(), _) | (_, Words()):
                agreed = bool(_words(gold.text)) and _words(gold.text) == _words(answer.text)
            case Amount(), Amount():
                agreed = same_quantity(gold.quantity, answer.quantity, self.percent)
            case (Amount() | Expression(), Amount() | Expression()):
                agreed = self.algebra.equal(_latex(gold), _latex(answer))
            case Ordered(), Ordered():
                kinds = (gold.opening, gold.closing) == (answer.opening, answer.closing)
                agreed = kinds and self._in_order(gold.items, answer.items)
            case Union(), Union():
                agreed = self._in_any_order(gold.pieces, answer.pieces)
            case Matrix(), Matrix():
                rows = zip(gold.rows, answer.rows, strict=False)
                agreed = len(gold.rows) == len(answer.rows) and all(self._in_order(*pair) for pair in rows)
            case Numeral(), Numeral():
                agreed = (gold.digits, gold.base) == (answer.digits, answer.base)
            case Ratio(), Ratio():
                agreed = _same_ratio(gold.parts, answer.parts)
        return agreed

    def _in_order(self, gold: Sequence[Node], answer: Sequence[Node]) -> bool:
        return len(gold) == len(answer) and all(self.agree(*pair) for pair in zip(gold, answer, strict=True))

    def _in_any_order(self, gold: Sequence[Node], answer: Sequence[Node]) -> bool:
        rest = list(answer)
        for item in gold:
            found = next((other for other in rest if self.agree(item, other)), None)
            if found is None:
                return False
            rest.remove(found)
        return not rest

    def _lists(self, gold: Node, answer: Node) -> bool:
        golds = gold.items if isinstance(gold, Many) else (gold,)
        answers = answer.items if isinstance(answer, Many) else (answer,)
        for union, parts in ((gold, answers), (answer, golds)):
            if isinstance(union, Union):
                return self._in_any_order(union.pieces, [_interval(part) or part for part in parts])
        if len(golds) == 1 or len(answers) == 1:
            # An answer in several forms (15 39/40 or 639/40) is one answer; two different ones are a hedge.
            return all(self.agree(one, other) for one in golds for other in answers)
        return self._in_any_order(golds, answers)

    def _relations(self, gold: Node, answer: Node) -> bool:
        if not isinstance(gold, Relation):
            return isinstance(answer, Relation) and self._stated(answer, gold, flip=True)
        if not isinstance(answer, Relation):
            return self._stated(gold, answer, flip=False)
        if gold.name and gold.name == answer.name:
            return self.agree(gold.sides[-1], answer.sides[-1])
        if gold.signs == answer.signs and self._in_order(gold.sides, answer.sides):
            return True
        if len(gold.signs) == 1 == len(answer.signs) and gold.signs == answer.signs:
            proportion = self.algebra.proportion(_difference(gold), _difference(answer))
            return proportion > 0 or (proportion < 0 and gold.signs[0] in ("=", r"\ne"))
        return False

    def _stated(self, relation: Relation, other: Node, flip: bool) -> bool:
        """Return whether ``relation`` states the value (``x = 5``, ``2 + 3 = 5``) or the interval (``x < 5``)."""
        interval = _interval(relation)
        if interval:
            return isinstance(other, Ordered) and self.agree(interval, other)
        if set(relation.signs) != {"="}:
            return False
        value = relation.sides[-1]
        if not (self.agree(other, value) if flip else self.agree(value, other)):
            return False
        return relation.name is not None or all(self.agree(value, side) for side in relation.sides[:-1])


def _same_ratio(gold: Sequence[int], answer: Sequence[int]) -> bool:
    return len(gold) == len(answer) and all(a * answer[-1] == b * gold[-1] for a, b in zip(gold, answer, strict=True))


def _words(text: str) -> str:
    """Return words in one spelling; the case of a single letter counts, since it is a variable or an option."""
    key = _NOT_IN_WORDS.sub("", _ARTICLE.sub("", text))
    return key if len(key) == 1 else key.casefold()


def _latex(node: Amount | Expression) -> str:
    if isinstance(node, Expression):
        return node.text
    quantity: Quantity = node.quantity
    value = Fraction(quantity.value) / (100 if quantity.percent else 1)
    return rf"\frac{{{value.numerator}}}{{{value.denominator}}}" if value.denominator > 1 else str(value.numerator)


def _difference(relation: Relation) -> str:
    return f"({relation.sides[0].text})-({relation.sides[1].text})"


def _interval(node: Node) -> Ordered | None:
    """Return the interval that an inequality in one symbol describes."""
    if not isinstance(node, Relation) or not set(node.signs) <= {"<", r"\le"} or len(node.sides) > 3:
        return None
    symbols = [index for index, side in enumerate(node.sides) if _SYMBOL.fullmatch(side.text) and side.text != r"\pi"]
    middle = symbols[0] if len(symbols) == 1 else -1
    if middle < 0 or (len(node.sides) == 3 and middle != 1):
        return None
    low = node.sides[middle - 1] if middle > 0 else Expression(r"-\infty")
    high = node.sides[middle + 1] if middle + 1 < len(node.sides) else Expression(r"\infty")
    opening = "[" if middle > 0 and node.signs[middle - 1] == r"\le" else "("
    closing = "]" if middle + 1 < len(node.sides) and node.signs[middle] == r"\le" else ")"
    return Ordered(node.text, opening, (low, high), closing)
