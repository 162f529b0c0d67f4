"""Running totals, as the embedded worlds' notation keeps them.

In ``4 cockroach : 4 x 6 = 24 total 24 .``, the total is 24. It is checked against the last total and the product beside
it. A step that shows no product, or that follows one without a total, has a total all the same: it cannot be checked,
but the answer can be read from it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from distillgame.judges.checked.arithmetic.numbers import literal
from distillgame.judges.checked.arithmetic.statements import Statement

_STEP = re.compile(
    r"(?:\A|(?<= \. ))\s*(?:[a-z]+ )?[0-9]{1,9} [a-z-]+(?: (?!total )[a-z-]+)?"
    r"(?: :(?: [a-z-]+(?: [a-z-]+)? :)? [0-9]{1,9} x [0-9]{1,9} = [0-9]{1,9})?(?: total [0-9]{1,9})? \."
)
_PRODUCT = re.compile(r"(?<= )[0-9]{1,9} x [0-9]{1,9} = ([0-9]{1,9})(?![0-9])")
_TOTAL = re.compile(r"\btotal ([0-9]{1,9})(?![0-9])")
_END = re.compile(r" \.(?=\s|$)")


@dataclass(frozen=True)
class Total:
    """A running total.

    Attributes:
        statement: What it says.
        checked: False if the step leaves open whether it is right.
    """

    statement: Statement
    checked: bool


def in_notation(text: str) -> bool:
    """Return whether a text has steps in the embedded worlds' notation."""
    return _STEP.search(text) is not None


def pieces(text: str) -> Iterator[tuple[int, int]]:
    """Yield the spans of the steps of a text in that notation, and of what is left behind the last one."""
    start = 0
    for end in _END.finditer(text):
        yield start, end.end()
        start = end.end()
    if text[start:].strip():
        yield start, len(text)


def totals(text: str) -> list[Total]:
    """Return the running totals of a text in that notation."""
    found = []
    reached: int | None = 0
    for start, end in pieces(text):
        products, total = list(_PRODUCT.finditer(text, start, end)), _TOTAL.search(text, start, end)
        rest = int(products[0][1]) if len(products) == 1 else None
        expected = None if reached is None or rest is None else reached + rest
        if total is not None:
            reached = int(total[1])
            true = expected in (None, reached)
            statement = Statement(total.start(), total.end(), true, literal(total[1]))
            found.append(Total(statement, expected is not None))
        else:
            reached = expected
    return found
