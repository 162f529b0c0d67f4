"""Students that choose what they ask, round by round."""

from dataclasses import dataclass, replace

from distillgame.errors import DistillgameError
from distillgame.records import ReleasedTrace
from distillgame.students.base import Editing, require_at_least, students
from distillgame.students.lessons import Desk, Lesson, Preference
from distillgame.students.supplies import Needs


class Querying(Editing):
    """A student that asks in rounds: it answers all prompts with what it has, and asks next about what it gets wrong.

    The queries are shared out evenly among the rounds, and each training starts at the base model. Prompts that were
    not asked before come first; where all were, some are asked again. Telling what is wrong takes public answers.

    Attributes:
        rounds: The rounds.
    """

    rounds: int

    @property
    def needs(self) -> Needs:
        """Rounds of queries, and verdicts."""
        return Needs(rounds=self.rounds, verdicts=True)

    def edited(self, desk: Desk) -> list[ReleasedTrace]:
        """Return the traces of all rounds."""
        return [*desk.supplies.traces, *desk.supplies.later]


@students.register("on_policy")
@dataclass(frozen=True)
class OnPolicy(Querying):
    """Asks in ``rounds`` and trains on everything alike."""

    rounds: int = 3
    name = "on_policy"

    def __post_init__(self) -> None:
        require_at_least(self.name, "rounds", self.rounds, 1)


@students.register("preferring")
@dataclass(frozen=True)
class Preferring(Querying):
    """Asks in ``rounds``, trains on everything, and learns to prefer the teacher's traces to its own wrong answers.

    Attributes:
        beta: Sharpness of the preference.
        strength: Its weight beside the likelihood.
    """

    rounds: int = 3
    beta: float = 2.0
    strength: float = 1.0
    name = "preferring"

    def __post_init__(self) -> None:
        require_at_least(self.name, "rounds", self.rounds, 1)
        for name, value in (("beta", self.beta), ("strength", self.strength)):
            if not 0 < value < float("inf"):
                raise DistillgameError(f"student 'preferring': {name} must be a number above 0 (found {value!r})")

    @property
    def preference(self) -> Preference:
        """Its preference."""
        return Preference(self.beta, self.strength)

    def prepare(self, desk: Desk) -> list[Lesson]:
        """Return all traces, those of later rounds with what it would have said."""
        lessons = desk.lessons(desk.supplies.traces)
        for trace, mistake in zip(desk.supplies.later, desk.supplies.mistaken, strict=True):
            (lesson, other) = (desk.lesson(trace), None if mistake is None else desk.lesson(mistake))
            if lesson is not None:
                lessons.append(lesson if other is None else replace(lesson, rejected=other.example))
        return lessons
