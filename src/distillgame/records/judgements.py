"""The schema of a judge's word on every exhibit of a game."""

import json
from pathlib import Path
from typing import Literal

from pydantic import Field, TypeAdapter

from distillgame.strict import Strict

Role = Literal["trace", "repeat", "anchor", "injected"]
"""The parts an exhibit plays: a released trace, the same once more, an anchor, or an anchor that talks to the judge."""


class MarkedStatement(Strict):
    """A statement in a trace that a judge checked.

    Attributes:
        start: Where it begins.
        end: Where it ends.
        true: Whether it holds.
    """

    start: int
    end: int
    true: bool


class JudgedExhibit(Strict):
    """One exhibit and what a judge said about it.

    Attributes:
        role: The part it plays.
        defense: The defense that released it; None for anchors.
        kind: The kind of anchor, or None.
        problem_id: The problem it belongs to.
        correct: Whether its answer is right; None if that is not known.
        characters: Its length.
        scores: Scores by criterion.
        reasons: Reasons by criterion.
        marks: The statements that were checked.
        failure: Why there is no score, if there is none.
        prompt_tokens: Number of tokens that the judge read.
        tokens: Number of tokens that it wrote.
    """

    role: Role
    defense: str | None = None
    kind: str | None = None
    problem_id: str
    correct: bool | None = None
    characters: int
    scores: dict[str, float]
    reasons: dict[str, str] = Field(default_factory=dict)
    marks: list[MarkedStatement] = Field(default_factory=list)
    failure: str | None = None
    prompt_tokens: int = 0
    tokens: int = 0


_EXHIBITS = TypeAdapter(list[JudgedExhibit])


def write_judged(path: Path, judged: list[JudgedExhibit]) -> None:
    """Write judged exhibits as JSON."""
    path.write_text(json.dumps([each.model_dump(mode="json") for each in judged]) + "\n", encoding="utf-8")


def read_judged(path: Path) -> list[JudgedExhibit]:
    """Return the judged exhibits in a file that :func:`write_judged` wrote."""
    return _EXHIBITS.validate_json(path.read_bytes())
