"""The composition of two students: one makes traces of traces, and the other trains on what it made."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch

from distillgame.choices import shown
from distillgame.errors import DistillgameError
from distillgame.students.base import Editing, Student, StudentChoice, named_in, students
from distillgame.students.lessons import Desk, Lesson, Phase
from distillgame.students.supplies import Needs, Supplies

AFTERWARDS = Needs(references=True, proxy=True)
"""The needs that can still be met once traces have been edited: all others are about the traces as they were."""


@students.register("composed")
@dataclass(frozen=True)
class Composed(Student):
    """Edits the traces as one student does, and trains on them as another.

    ``composed: {first: {retold: {k: 8}}, then: {mixed: {share: 0.5}}}`` lets a reader tell the traces anew and mixes
    public solutions into its tellings.

    Attributes:
        first: A student that drops, rewrites or chooses among traces.
        then: Any student that needs nothing of the traces but their text.
    """

    first: str | dict[str, Any]
    then: str | dict[str, Any]
    name = "composed"

    def __post_init__(self) -> None:
        if not isinstance(self._first, Editing):
            raise DistillgameError(
                f"student 'composed': '{self._first.name}' makes no traces, so it cannot be the first"
            )
        if self._then.control or not self._then.trains:
            raise DistillgameError(f"student 'composed': '{self._then.name}' is a control")
        needs = self._then.needs
        if replace(needs, references=True, proxy=True) != AFTERWARDS:
            raise DistillgameError(f"student 'composed': '{self._then.name}' needs the traces as they were released")

    @cached_property
    def _first(self) -> Student:
        return self._named("first").student

    @cached_property
    def _then(self) -> Student:
        return self._named("then").student

    @property
    def settings(self) -> Mapping[str, float | str]:
        """Both students, with their options."""
        return {part: shown(self._named(part).short) for part in ("first", "then")}

    @property
    def needs(self) -> Needs:
        """Whatever either of them needs."""
        first, then = self._first.needs, self._then.needs
        return replace(first, references=first.references or then.references, proxy=first.proxy or then.proxy)

    @property
    def needs_objective(self) -> bool:
        """True if either does."""
        return self._first.needs_objective or self._then.needs_objective

    @property
    def needs_values(self) -> bool:
        """True if the second does."""
        return self._then.needs_values

    @property
    def needs_likelihood(self) -> bool:
        """True if the second does."""
        return self._then.needs_likelihood

    @property
    def whole_set(self) -> bool:
        """True if the second's weights are."""
        return self._then.whole_set

    def prepare(self, desk: Desk) -> list[Lesson]:
        """Return the second's lessons from the first's traces."""
        return self._then.prepare(self._edited(desk))

    def phases(self, desk: Desk) -> list[Phase]:
        """Return the second's phases on the first's traces."""
        return self._then.phases(self._edited(desk))

    def log_weights(self, values: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Return the second's weights."""
        return self._then.log_weights(values, generator)

    def _edited(self, desk: Desk) -> Desk:
        assert isinstance(self._first, Editing)
        supplies = Supplies(
            traces=self._first.edited(desk),
            references=desk.supplies.references,
            proxy=desk.supplies.proxy,
            final_answer=desk.supplies.final_answer,
        )
        return replace(desk, supplies=supplies)

    def _named(self, part: str) -> StudentChoice:
        return named_in(self.name, part, getattr(self, part))
