"""Students that learn from what another student made of the traces."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

from distillgame.choices import NamedChoice, shown
from distillgame.errors import DistillgameError
from distillgame.records import ReleasedTrace
from distillgame.students.attackers.assisted import comes_to_same
from distillgame.students.base import Editing, StudentChoice, named_in, require_at_least, students
from distillgame.students.lessons import Desk
from distillgame.students.supplies import Needs
from distillgame.students.valuation import Value, Valuing, most_valuable


@students.register("retold")
@dataclass(frozen=True)
class Retold(Editing, Valuing):
    """Lets another student of the traces answer the same prompts, and trains on the best that comes to the same.

    A student knows more of what it read than it says: a defense may have taught it the habit of leaving out its
    working, and sampled often enough it still shows some. Of each prompt, the most valuable among the trace and the
    ``k`` completions that come to the trace's answer is kept. With further ``rounds``, the student of one round is the
    next one's reader. No query is spent on it.

    Where some traces show their working and others hide it, ``reader: {filter: {share: 0.25, value: length}}`` learns
    from those that show it and tells the others with theirs. ``untold: drop`` then drops the traces to whose answer the
    reader never comes: they may hide what it could not restore, or be wrong. ``value: gap`` compares with that reader.

    Keeping one's own completions that come to a known answer is the step of STaR (Zelikman et al., "STaR: Bootstrapping
    Reasoning With Reasoning"). Here the provider gave the answers, and the value chooses among what is kept.
    """

    k: int = 8
    rounds: int = 1
    value: Value = "grad"
    reader: str | dict[str, Any] = "passive"
    untold: Literal["keep", "drop"] = "keep"
    name = "retold"

    def __post_init__(self) -> None:
        require_at_least(self.name, "k", self.k, 1)
        require_at_least(self.name, "rounds", self.rounds, 1)
        reader = self._reader.student
        if reader.control or not reader.trains:
            raise DistillgameError(f"student 'retold': the reader '{reader.name}' is a control")
        if replace(reader.needs, rewrites=0, reader=None) != Needs():
            raise DistillgameError(f"student 'retold': the reader '{reader.name}' needs more than the traces")

    @property
    def settings(self) -> Mapping[str, float | str]:
        """Its own, and the reader unless that is the passive student."""
        own = super().settings.items()
        reader = {} if self._reads_passively else {"reader": shown(self._reader.short)}
        return {name: reader.get(name, value) for name, value in own if name != "reader" or reader}

    @property
    def needs(self) -> Needs:
        """A reader and its completions."""
        if self.rounds == 1:
            return Needs(rewrites=self.k, reader=NamedChoice(name=self._reader.name, options=self._reader.options))
        before: dict[str, Any] = {"k": self.k, "rounds": self.rounds - 1, "value": self.value}
        # Only where they are used, so that runs which know neither still find their readers.
        before |= {} if self._reads_passively else {"reader": self._reader.short}
        before |= {"untold": self.untold} if self.untold != "keep" else {}
        return Needs(rewrites=self.k, reader=NamedChoice(name=self.name, options=before))

    @property
    def needs_objective(self) -> bool:
        """True if it or its reader values by the objective."""
        return super().needs_objective or self._reader.student.needs_objective

    def edited(self, desk: Desk) -> list[ReleasedTrace]:
        """Return the most valuable telling of each trace."""
        pairs = zip(desk.supplies.traces, desk.supplies.rewrites, strict=True)
        told = [(trace, [each for each in rewrites if _comes_to(trace, each)]) for trace, rewrites in pairs]
        groups = [[trace, *same] for trace, same in told if same or self.untold == "keep"]
        return most_valuable(desk, [_each_once(group) for group in groups], self.value)

    @property
    def _reads_passively(self) -> bool:
        return self._reader.name == "passive"

    @cached_property
    def _reader(self) -> StudentChoice:
        return named_in(self.name, "reader", self.reader)


def _comes_to(trace: ReleasedTrace, telling: ReleasedTrace) -> bool:
    """Return whether a telling ends by itself and comes to the trace's answer."""
    return telling.finish_reason == "stop" and comes_to_same(trace, telling)


def _each_once(tellings: Sequence[ReleasedTrace]) -> list[ReleasedTrace]:
    return list({each.messages[-1]["content"]: each for each in tellings}.values())
