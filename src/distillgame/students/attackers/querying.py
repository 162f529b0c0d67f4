"""Students that choose what they ask."""

from dataclasses import dataclass

from distillgame.records import ReleasedTrace
from distillgame.students.base import Editing, require_at_least, students
from distillgame.students.lessons import Desk
from distillgame.students.supplies import Needs


@students.register("on_policy")
@dataclass(frozen=True)
class OnPolicy(Editing):
    """Asks in ``rounds``: it trains on what it has, answers all prompts, and asks next about what it gets wrong.

    The queries are shared out evenly among the rounds, and each training starts at the base model. Prompts that were
    not asked before come first; where all were, they are asked again. Telling what is wrong takes public answers.
    """

    rounds: int = 3
    name = "on_policy"

    def __post_init__(self) -> None:
        require_at_least(self.name, "rounds", self.rounds, 1)

    @property
    def needs(self) -> Needs:
        """Rounds of queries, and verdicts."""
        return Needs(rounds=self.rounds, verdicts=True)

    def edited(self, desk: Desk) -> list[ReleasedTrace]:
        """Return the traces of all rounds."""
        return [*desk.supplies.traces, *desk.supplies.later]
