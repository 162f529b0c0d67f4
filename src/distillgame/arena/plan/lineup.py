"""The lineup: which students play against which target, with how many seeds, and which of them is the strongest."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from distillgame.arena.plan.eligibility import lacking, share_vocabulary
from distillgame.arena.plan.game_plan import GamePlan, PlannedRelease, PlannedStudent, PlannedTeacher
from distillgame.arena.plan.pairs import pairs, rungs
from distillgame.arena.plan.planner import Planner
from distillgame.arena.plan.targets import DefenseTarget, Target
from distillgame.arena.stages import JudgeStage, SampleStage, Stage
from distillgame.errors import DistillgameError
from distillgame.policies import Defense
from distillgame.records import Level
from distillgame.students import StudentChoice

TEST = "test"
"""The split that a game reports."""

VALIDATION = "validation"
"""The split on which the strongest student is chosen."""

AGAINST_CONTROLS = ("passive", "adaptive")
"""Members of a suite that are played against a policy that is a control: it is there to be compared with."""

Accuracies = Mapping[str, float]
"""Accuracies on the validation split, by student."""


@dataclass(frozen=True)
class Round:
    """One target at one number of queries.

    Attributes:
        target: What is attacked.
        queries: How many traces a student may ask for.
        composed: The compositions that attack beside the game's students.
        given_up: Number of trainings of compositions that were tried and given up.
    """

    target: Target
    queries: int
    composed: tuple[StudentChoice, ...] = ()
    given_up: int = 0

    def part(self, share: float) -> "Round":
        """Return the round with a share of the queries."""
        return replace(self, queries=max(1, round(share * self.queries)))


class Lineup:
    """The students of a game, round by round, and the plan of the stages they take.

    Attributes:
        rounds: The rounds.
        is_chosen: Whether a strongest student is chosen at all: of the few of a plain game everyone is reported.

    Args:
        planner: The game.
        targets: What is attacked; the game's own defenses by default.
        queries: Numbers of queries; that of the game's own training split by default.
        choose: Whether a strongest student is chosen though the game names no suite.
    """

    def __init__(
        self,
        planner: Planner,
        targets: Sequence[Target] | None = None,
        queries: Sequence[int] = (),
        choose: bool = False,
    ):
        self.planner, self.config = planner, planner.config
        self.is_chosen = choose or planner.config.suite is not None or planner.config.search.trainings > 0
        asked: list[int | None] = [*queries] or [None]
        if targets is None:
            targets = [DefenseTarget.of(defense) for defense in self.config.policies]
        self.rounds = [Round(target, target.queries(planner, count)) for target in targets for count in asked]
        self._require_listed()

    def attackers(self, played: Round) -> list[StudentChoice]:
        """Return the students that attack, as far as they are given what they need."""
        choices = [choice for choice in self.config.attackers if not choice.student.control]
        if played.target.is_control:
            listed = {choice.label for choice in self.config.students}
            choices = [choice for choice in choices if choice.name in AGAINST_CONTROLS or choice.label in listed]
        choices += played.composed
        return [choice for choice in choices if self.lacks(played, choice) is None]

    def lacks(self, played: Round, choice: StudentChoice) -> str | None:
        """Return what a student needs and is not given in a round; None if it can be played."""
        return lacking(choice, played.target, played.queries, self.config, self._shares_vocabulary)

    def level(self, choice: StudentChoice) -> Level:
        """Return the level of the threat model at which a student competes."""
        student = choice.student
        if student.needs_objective and self.planner.objective(student) == "clean":
            return "informed"
        return student.needs.level

    def trials(self, played: Round) -> dict[str, SampleStage]:
        """Return the stages on whose results the strongest student of a round is chosen, by student."""
        return {choice.label: self.trial(played, choice) for choice in self.attackers(played)}

    def trial(self, played: Round, choice: StudentChoice) -> SampleStage:
        """Return the stage in which a student of a round is tried."""
        return self.planner.evaluate(played.target, choice, VALIDATION, self.config.seeds[0], played.queries)

    def entries(self, played: Round, validation: Accuracies | None = None, split: str = TEST) -> list[PlannedStudent]:
        """Return everyone of a round, the controls last.

        Args:
            played: The round.
            validation: Accuracies on the validation split, where the strongest is chosen.
            split: The reported split.
        """
        validation = validation or {}
        tried = len(validation) + played.given_up if validation else None
        seeds = tuple(self.config.seeds)
        chosen = self._strongest(played, validation)
        entries = []
        for choice in self.attackers(played):
            is_headline = choice.label in chosen or choice.name == "passive" or not self.is_chosen
            entry = self._entry(played, choice, seeds if is_headline else seeds[:1], split)
            found = validation.get(choice.label)
            entries.append(replace(entry, strongest=choice.label in chosen, validation=found, tried=tried))
        return [*entries, *self._controls(played, validation, split)]

    def plan(self, validation: Sequence[Accuracies] = (), split: str = TEST) -> GamePlan:
        """Return everything that the game reports.

        Args:
            validation: For each round the accuracies on the validation split, where strongest students are chosen.
            split: The reported split.
        """
        planner = self.planner
        known = validation or [{}] * len(self.rounds)
        targets = [played.target for played in self.rounds]
        defenses = {target.label: target.defense for target in targets if isinstance(target, DefenseTarget)}
        return GamePlan(
            config=self.config,
            split=split,
            problems=planner.problems(split),
            models=planner.models(),
            teachers=tuple(self._teacher(defense, split) for defense in defenses.values()),
            rounds=tuple(
                tuple(self.entries(played, found, split)) for played, found in zip(self.rounds, known, strict=True)
            ),
            cost=planner.cost() if defenses else None,
            releases=tuple(self._release(played) for played in self.rounds) if self._has_facts else (),
            judged=self._judged(defenses.values(), split) if defenses else (),
        )

    def expected(self) -> list[Stage]:
        """Return all stages before anything is chosen; the headline students' other seeds stand for whoever is."""
        if not self.is_chosen:
            return self.plan().stages
        trials = [self.trials(played) for played in self.rounds]
        alike = [dict.fromkeys(tried, 0.0) for tried in trials]
        race = [stage for played, known in zip(self.rounds, alike, strict=True) for stage in self._race(played, known)]
        return [*(stage for tried in trials for stage in tried.values()), *race, *self.plan(alike).stages]

    def _race(self, played: Round, known: Accuracies) -> Iterator[SampleStage]:
        """Yield the stages of a race in which nobody is better than anybody else."""
        racing = pairs(self.attackers(played), known)
        for share, width in rungs(self.config.search.trainings):
            for choice in racing[:width]:
                yield self.trial(played.part(share), choice)

    @cached_property
    def _shares_vocabulary(self) -> bool:
        """True if all have one vocabulary; assumed where nothing is looked up."""
        return not self.planner.resolve or share_vocabulary(self.config)

    @cached_property
    def _has_facts(self) -> bool:
        """True if leakage is counted in private facts, too."""
        return self.config.task.task.knowledge() is not None

    def _require_listed(self) -> None:
        """Students of a suite are left out where they cannot be played; one that was asked for by name is not."""
        for choice in self.config.students:
            lacks = [self.lacks(played, choice) for played in self.rounds]
            if lacks and all(lacks):
                raise DistillgameError(f"student '{choice.label}' needs {lacks[0]}, which it is not given here")

    def _teacher(self, defense: Defense, split: str) -> PlannedTeacher:
        releases = tuple(self.planner.release(defense, split, seed) for seed in self.config.seeds)
        return PlannedTeacher(defense, releases, self.planner.viewed_values(defense, split))

    def _judged(self, defenses: Iterable[Defense], split: str) -> tuple[JudgeStage, ...]:
        return tuple(self.planner.judge(choice, split, defenses) for choice in self.config.judge.judges)

    def _entry(
        self, played: Round, choice: StudentChoice, seeds: tuple[int, ...], split: str, control: bool = False
    ) -> PlannedStudent:
        evaluations = tuple(self.planner.evaluate(played.target, choice, split, seed, played.queries) for seed in seeds)
        probes = tuple(self.planner.probe(evaluation) for evaluation in evaluations) if self._has_facts else ()
        level = self.level(choice)
        return PlannedStudent(played.target, choice, seeds, played.queries, control, level, evaluations, probes)

    def _release(self, played: Round) -> PlannedRelease:
        traces = tuple(played.target.traces(self.planner, "train", seed) for seed in self.config.seeds)
        return PlannedRelease(played.target, played.queries, traces)

    def _strongest(self, played: Round, validation: Accuracies) -> set[str]:
        best: dict[Level, str] = {}
        for choice in self.attackers(played):
            level, label = self.level(choice), choice.label
            if label in validation:
                best.setdefault(level, label)
                if validation[label] > validation[best[level]]:
                    best[level] = label
        return set(best.values())

    def _controls(self, played: Round, validation: Accuracies, split: str) -> Iterator[PlannedStudent]:
        listed = [choice for choice in self.config.students if choice.student.control]
        seeds = tuple(self.config.seeds)
        for choice in [*listed, *self._missing_controls(played, validation, {choice.name for choice in listed})]:
            # eta = 0 has to give the very same student, and the oracle bounds: one seed tells.
            few = choice not in listed and choice.name in ("eta_zero", "oracle")
            yield self._entry(played, choice, seeds[:1] if few else seeds, split, control=True)

    def _missing_controls(self, played: Round, validation: Accuracies, listed: set[str]) -> Iterator[StudentChoice]:
        if not self.config.controls:
            return
        holdout = self.config.splits.get("holdout", 0) > 0
        wanted = [StudentChoice(name="untrained")]
        if holdout:
            wanted.append(StudentChoice(name="reference"))
        adaptive = self._adaptive(played, validation)
        if holdout and adaptive is not None:
            wanted += [
                StudentChoice(name="eta_zero"),
                StudentChoice(name="shuffled", options=adaptive.options),
                StudentChoice(name="oracle", options=adaptive.options),
            ]
        for choice in wanted:
            # The oracle's objective is undefended traces of the game's own teacher.
            is_possible = choice.name != "oracle" or played.target.can_ask
            if choice.name not in listed and is_possible:
                yield choice

    def _adaptive(self, played: Round, validation: Accuracies) -> StudentChoice | None:
        """Return the adaptive student whose eta the controls share: the strongest of them."""
        found = [choice for choice in self.attackers(played) if choice.name == "adaptive"]
        return max(found, key=lambda choice: validation.get(choice.label, 0.0), default=None)
