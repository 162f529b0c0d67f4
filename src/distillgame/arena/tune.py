"""Choose hyper-parameters on the validation split, and record how."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from distillgame.arena.config import GameConfig
from distillgame.arena.plan import VALIDATION, DefenseTarget, Planner
from distillgame.arena.precision import settled
from distillgame.arena.results import ScoreReader
from distillgame.arena.run import Run
from distillgame.arena.stages import TracesStage
from distillgame.arena.store import write_text
from distillgame.errors import DistillgameError
from distillgame.policies import Defense, PolicyChoice
from distillgame.strict import Strict
from distillgame.students import StudentChoice

PASSIVE = StudentChoice(name="passive")


class TriedSetting(Strict):
    """One setting that was tried on one policy.

    Attributes:
        what: ``strength``, ``passive`` or ``adaptive``.
        policy: The policy, with its options.
        learning_rate: The trainer's rate; None for a strength.
        eta: The adaptive student's tilt, else None.
        accuracy: The student's accuracy on the validation split; for a strength the teacher's.
        standard_error: Of the accuracy.
    """

    what: str
    policy: str
    learning_rate: float | None
    eta: float | None
    accuracy: float
    standard_error: float


class TuningResult(Strict):
    """The settings that were tried, and those that were chosen.

    Attributes:
        trials: Everything tried.
        strengths: For a policy the parameter value whose teacher accuracy is closest to the one asked for.
        learning_rate: The trainer's rate, or None if none was searched.
        eta: The adaptive student's tilt, or None if none was searched.
    """

    trials: list[TriedSetting]
    strengths: dict[str, dict[str, float]]
    learning_rate: float | None
    eta: float | None


def tune(config: GameConfig, out: Path, progress: bool = True) -> TuningResult:
    """Search what the configuration's ``tuning`` section lists, on the validation split.

    The test split is never read. Each policy's strength comes first: the one whose teacher accuracy is closest to the
    target. Then learning rate and eta together: the pair with the best adaptive student, averaged over the policies
    that are not controls (without eta, the rate with the best passive student). The result is also written to
    ``tuning.json``.

    Raises:
        DistillgameError: If there is nothing to search, or an input is bad.
    """
    wanted = config.tuning
    if not (wanted.learning_rate or wanted.strengths or wanted.eta):
        raise DistillgameError("tuning: nothing to search; list learning_rate, strengths or eta")
    if config.splits.get(VALIDATION, 0) < 2:
        raise DistillgameError(f"splits.{VALIDATION}: tuning needs at least 2 problems")
    config = settled(config, out, progress)
    with Run(out, config, progress) as run:
        search = _Search(config, run)
        strengths = {name: search.strength(name, values) for name, values in wanted.strengths.items()}
        rate, eta = search.student() if wanted.learning_rate or wanted.eta else (None, None)
        result = TuningResult(
            trials=search.trials,
            strengths=strengths,
            learning_rate=rate if wanted.learning_rate else None,
            eta=eta,
        )
        write_text(out / "tuning.json", json.dumps(result.model_dump(), indent=1) + "\n")
    return result


class _Search:
    """Holds the configuration as chosen so far, and what was tried."""

    def __init__(self, config: GameConfig, run: Run):
        self.config, self.run = config, run
        self.reader = ScoreReader(run.store)
        self.trials: list[TriedSetting] = []

    def strength(self, policy: str, values: Mapping[str, Sequence[float]]) -> dict[str, float]:
        """Choose a policy's strength and put it into the configuration."""
        if len(values) != 1 or not next(iter(values.values())):
            raise DistillgameError(f"tuning.strengths.{policy}: list the values of exactly one parameter")
        parameter, tried = next(iter(values.items()))
        listed = [choice.options for choice in self.config.policies if choice.name == policy]
        if len(listed) > 1:
            raise DistillgameError(
                f"tuning.strengths.{policy}: the game lists this policy {len(listed)} times; `distillgame calibrate` "
                "finds the strength of each"
            )
        others = listed[0] if listed else {}
        choices = {value: PolicyChoice(name=policy, options=others | {parameter: value}) for value in tried}
        planner = Planner(self.config)
        stages = {
            value: [planner.sample(choice, VALIDATION, seed) for seed in self.config.seeds]
            for value, choice in choices.items()
        }
        self.run.compute([stage for group in stages.values() for stage in group])
        distance = {
            value: abs(self._accuracy(stages[value], "strength", choice) - self.config.tuning.teacher_accuracy)
            for value, choice in choices.items()
        }
        best = min(distance, key=lambda value: distance[value])
        chosen = Defense(name=policy, options=choices[best].options)
        policies = [
            chosen.model_copy(update={"form": choice.form}) if choice.name == policy else choice
            for choice in self.config.policies
        ]
        self.config = self.config.model_copy(update={"policies": policies})
        return {parameter: best}

    def student(self) -> tuple[float, float | None]:
        """Choose learning rate and eta."""
        rates = self.config.tuning.learning_rate or [self.config.training.learning_rate]
        etas = self.config.tuning.eta
        students: dict[float | None, StudentChoice] = {None: PASSIVE}
        students |= {eta: StudentChoice(name="adaptive", options={"eta": eta}) for eta in etas}
        planners = {rate: Planner(self._at_rate(rate)) for rate in rates}
        targets = [DefenseTarget.of(defense) for defense in self.config.policies if not defense.policy.control]
        stages = {
            (rate, eta): [
                [planners[rate].evaluate(target, choice, VALIDATION, seed) for seed in self.config.seeds]
                for target in targets
            ]
            for rate in rates
            for eta, choice in students.items()
        }
        self.run.compute([stage for grid in stages.values() for group in grid for stage in group], last=True)
        means = {}
        for (rate, eta), grid in stages.items():
            found = [
                self._accuracy(group, students[eta].name, target.defense, rate, eta)
                for target, group in zip(targets, grid, strict=True)
            ]
            if eta is not None or not etas:
                means[rate, eta] = sum(found) / len(found)
        return max(means, key=lambda pair: means[pair])

    def _at_rate(self, rate: float) -> GameConfig:
        training = self.config.training.model_copy(update={"learning_rate": rate})
        return self.config.model_copy(update={"training": training})

    def _accuracy(
        self,
        stages: Sequence[TracesStage],
        what: str,
        policy: PolicyChoice,
        rate: float | None = None,
        eta: float | None = None,
    ) -> float:
        """Read an accuracy and record the trial that it comes from."""
        summary: dict[str, Any] = self.reader.read(stages).summary(self.config.seeds)
        accuracy, error = summary["accuracy"], summary["standard_error"]
        self.trials.append(
            TriedSetting(
                what=what, policy=policy.label, learning_rate=rate, eta=eta, accuracy=accuracy, standard_error=error
            )
        )
        return float(accuracy)
