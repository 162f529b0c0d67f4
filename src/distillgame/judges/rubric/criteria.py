"""The rubric: criteria, each with a question and described levels, read from YAML."""

import re
from collections.abc import Sequence
from pathlib import Path

from pydantic import field_validator

from distillgame.documents import read_document
from distillgame.errors import DistillgameError
from distillgame.judges.base import AUDITABILITY, Scale
from distillgame.strict import Strict, parse

SHIPPED = Path(__file__).parent / "rubric.yaml"
"""The shipped rubric."""


class Criterion(Strict):
    """One question about a trace.

    Attributes:
        asks: The question.
        levels: The possible answers in words, by number; 1 is the worst.
    """

    asks: str
    levels: dict[int, str]

    @field_validator("asks")
    @classmethod
    def _is_a_text(cls, asks: str) -> str:
        if not asks.strip():
            raise ValueError("a question is expected")
        return asks.strip()

    @field_validator("levels")
    @classmethod
    def _are_numbered(cls, levels: dict[int, str]) -> dict[int, str]:
        if len(levels) < 2 or sorted(levels) != list(range(1, len(levels) + 1)):
            raise ValueError(f"at least two levels, numbered from 1 without gaps (found {sorted(levels)})")
        empty = [number for number, text in levels.items() if not text.strip()]
        if empty:
            raise ValueError(f"level {empty[0]} is not described")
        return {number: levels[number].strip() for number in sorted(levels)}

    @property
    def scale(self) -> Scale:
        """The scale of its scores."""
        return Scale(1, len(self.levels))


Rubric = dict[str, Criterion]
"""Criteria by name, in the order of their file; :data:`AUDITABILITY` is among them."""


def read_rubric(path: str | Path | None = None, criteria: Sequence[str] | None = None) -> Rubric:
    """Return a rubric.

    Args:
        path: A YAML file of criteria by name; the shipped one if None.
        criteria: The names of those that are wanted; all if None.

    Raises:
        DistillgameError: If there is no such file or criterion, or if the file is not a rubric.
    """
    source = SHIPPED if path is None else Path(path)
    if not source.is_file():
        raise DistillgameError(f"judge 'rubric': rubric: {source}: no such file")
    rubric = {}
    for name, data in read_document(source).items():
        where = f"judge 'rubric': {source}: {name}"
        if not isinstance(name, str) or re.fullmatch(r"[a-z][a-z0-9_]*", name) is None:
            raise DistillgameError(f"{where}: a criterion's name has small letters, digits and '_' only")
        if not isinstance(data, dict):
            raise DistillgameError(f"{where}: a criterion is a mapping with 'asks' and 'levels'")
        rubric[name] = parse(Criterion, data, where)
    if AUDITABILITY not in rubric or len(rubric[AUDITABILITY].levels) != 5:
        raise DistillgameError(f"judge 'rubric': {source}: '{AUDITABILITY}' with levels 1 to 5 is missing")
    return rubric if criteria is None else _selected(rubric, criteria)


def _selected(rubric: Rubric, criteria: Sequence[str]) -> Rubric:
    for name in criteria:
        if name not in rubric:
            raise DistillgameError(f"judge 'rubric': criteria: unknown '{name}': choose among {', '.join(rubric)}")
    if AUDITABILITY not in criteria:
        raise DistillgameError(f"judge 'rubric': criteria: '{AUDITABILITY}' is among those of every judge: add it")
    return {name: criterion for name, criterion in rubric.items() if name in criteria}
