"""A game's plan: every stage that a game reports, each held by the row it belongs to."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from distillgame.arena.config import GameConfig
from distillgame.arena.plan.targets import Target
from distillgame.arena.stages import (
    CostStage,
    FormStage,
    JudgeStage,
    Model,
    ProbeStage,
    ProblemSet,
    SampleStage,
    Stage,
    TracesStage,
    TrainingStage,
    ValueStage,
)
from distillgame.policies import Defense
from distillgame.records import Level
from distillgame.students import StudentChoice


@dataclass(frozen=True)
class PlannedTeacher:
    """One defense: a row of teachers.

    Attributes:
        defense: The defense.
        releases: What it releases on the reported split, one stage per seed.
        values: The stage that values the viewed traces, where the policy measures no value itself.
    """

    defense: Defense
    releases: tuple[SampleStage | FormStage, ...]
    values: ValueStage | None


@dataclass(frozen=True)
class PlannedRelease:
    """The traces that one target releases for a number of queries, where its task has private facts.

    Attributes:
        target: What is attacked.
        queries: How many traces are asked for.
        traces: The traces of which they are the first, one stage per seed.
    """

    target: Target
    queries: int
    traces: tuple[TracesStage, ...]


@dataclass(frozen=True)
class PlannedStudent:
    """One student against one target: a row of students.

    Attributes:
        target: What is attacked.
        choice: Who attacks.
        seeds: The seeds with which it is played on the reported split.
        queries: How many traces it may ask for.
        control: Whether it is there to be compared with.
        level: The level of the threat model at which it competes.
        evaluations: Its answers on the reported split, one stage per seed.
        probes: Its answers to questions about private facts, one stage per seed; empty if the task has none.
        strongest: Whether it was chosen as the strongest there.
        validation: Its accuracy on the validation split with the first seed, where the choice was made.
        tried: Number of trainings from which it was chosen.
    """

    target: Target
    choice: StudentChoice
    seeds: tuple[int, ...]
    queries: int
    control: bool
    level: Level
    evaluations: tuple[SampleStage, ...]
    probes: tuple[ProbeStage, ...] = ()
    strongest: bool = False
    validation: float | None = None
    tried: int | None = None

    @property
    def trainings(self) -> tuple[TrainingStage, ...]:
        """Its trainings, one stage per seed; empty if it is not trained."""
        return tuple(stage.trained for stage in self.evaluations if stage.trained is not None)


@dataclass(frozen=True)
class GamePlan:
    """Everything that a game reports.

    Attributes:
        config: The game.
        split: The reported split.
        problems: Its problems.
        models: The game's models, by role or name.
        teachers: The rows of teachers.
        rounds: The rows of students, round by round: a round is one target at one number of queries.
        cost: The stage that times the policies, if there are any.
        releases: What each round's target releases, where the task has private facts.
        judged: What each judge makes of the releases.
    """

    config: GameConfig
    split: str
    problems: ProblemSet
    models: dict[str, Model]
    teachers: tuple[PlannedTeacher, ...]
    rounds: tuple[tuple[PlannedStudent, ...], ...]
    cost: CostStage | None
    releases: tuple[PlannedRelease, ...] = ()
    judged: tuple[JudgeStage, ...] = ()

    @cached_property
    def students(self) -> Sequence[PlannedStudent]:
        """The rows of students, all rounds one after the other."""
        return [student for played in self.rounds for student in played]

    @property
    def stages(self) -> list[Stage]:
        """All stages whose results are read."""
        return [*self._stages()]

    def _stages(self) -> Iterator[Stage]:
        for teacher in self.teachers:
            yield from teacher.releases
            if teacher.values is not None:
                yield teacher.values
        for student in self.students:
            yield from student.evaluations
            yield from student.probes
        for release in self.releases:
            yield from release.traces
        yield from self.judged
        if self.cost is not None:
            yield self.cost
