"""Choose hyper-parameters on the validation split, and record how."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from distillgame.arena.config.game import GameConfig
from distillgame.arena.plan.planner import Planner
from distillgame.arena.play import pick_device, run_stages
from distillgame.arena.results.collector import Collector
from distillgame.arena.run.store import Store, full_disk_is_an_error, lock, write_text
from distillgame.arena.stages import Stage
from distillgame.choices import NamedChoice
from distillgame.errors import DistillgameError
from distillgame.policies import Defense
from distillgame.strict import Strict

SPLIT = "validation"
"""Nothing here ever sees the test split."""

PASSIVE = NamedChoice(name="passive")


class Trial(Strict):
    """One setting that was tried on one policy.

    Attributes:
        what: ``strength``, ``passive`` or ``adaptive``.
        policy: The policy, with its strength.
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
    """What was tried and what was chosen.

    Attributes:
        trials: Everything tried.
        strengths: For a policy the parameter value whose teacher accuracy is closest to the one asked for.
        learning_rate: The trainer's rate, or None if none was searched.
        eta: The adaptive student's tilt, or None if none was searched.
    """

    trials: list[Trial]
    strengths: dict[str, dict[str, float]]
    learning_rate: float | None
    eta: float | None


def tune(config: GameConfig, out: Path, progress: bool = True) -> TuningResult:
    """Search what the configuration's ``tuning`` section lists, on the validation split.

    Each policy's strength comes first: the one whose teacher accuracy is closest to the target. Then learning rate and
    eta together: the pair with the best adaptive student, averaged over the policies that are not controls (without
    eta, the rate with the best passive student). The result is also written to ``tuning.json``.

    Raises:
        DistillgameError: If there is nothing to search, or an input is bad.
    """
    wanted = config.tuning
    if not (wanted.learning_rate or wanted.strengths or wanted.eta):
        raise DistillgameError("tuning: nothing to search; list learning_rate, strengths or eta")
    if config.splits.get(SPLIT, 0) < 2:
        raise DistillgameError(f"splits.{SPLIT}: tuning needs at least 2 problems")
    with lock(out):
        search = _Search(config, Store(out, pick_device(config)), progress)
        strengths = {name: search.strength(name, values) for name, values in wanted.strengths.items()}
        rate, eta = search.student() if wanted.learning_rate or wanted.eta else (None, None)
        result = TuningResult(
            trials=search.trials,
            strengths=strengths,
            learning_rate=rate if wanted.learning_rate else None,
            eta=eta,
        )
        with full_disk_is_an_error(out):
            write_text(out / "tuning.json", json.dumps(result.model_dump(), indent=1) + "\n")
    return result


class _Search:
    """Holds the configuration as chosen so far, and what was tried."""

    def __init__(self, config: GameConfig, store: Store, progress: bool):
        self.config, self.store, self.progress = config, store, progress
        self.trials: list[Trial] = []

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
        choices = {value: NamedChoice(name=policy, options=others | {parameter: value}) for value in tried}
        planner = Planner(self.config)
        self._run([planner.sample(c, SPLIT, seed) for c in choices.values() for seed in self.config.seeds])
        distance = {}
        for value, choice in choices.items():
            row = Collector(planner, self.store, SPLIT).teacher(choice)
            self._record("strength", choice, None, None, row.accuracy, row.standard_error)
            distance[value] = abs(row.accuracy - self.config.tuning.teacher_accuracy)
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
        students: dict[float | None, NamedChoice] = {None: PASSIVE}
        students |= {eta: NamedChoice(name="adaptive", options={"eta": eta}) for eta in etas}
        grid = [(rate, eta) for rate in rates for eta in students]
        configs = {rate: self._at_rate(rate) for rate in rates}
        policies = [
            choice
            for choice, policy in zip(self.config.policies, self.config.make_policies(), strict=True)
            if not policy.control
        ]
        self._run(
            [
                Planner(configs[rate]).evaluate(policy, students[eta], SPLIT, seed)
                for rate, eta in grid
                for policy in policies
                for seed in self.config.seeds
            ]
        )
        means = {}
        for rate, eta in grid:
            found = [self._answers(configs[rate], policy, students[eta]) for policy in policies]
            for policy, summary in zip(policies, found, strict=True):
                name = students[eta].name
                self._record(name, policy, rate, eta, summary["accuracy"], summary["standard_error"])
            if eta is not None or not etas:
                means[rate, eta] = sum(summary["accuracy"] for summary in found) / len(found)
        return max(means, key=lambda pair: means[pair])

    def _answers(self, config: GameConfig, policy: NamedChoice, student: NamedChoice) -> dict[str, Any]:
        return (
            Collector(Planner(config), self.store, SPLIT).evaluated(policy, student, config.seeds).summary(config.seeds)
        )

    def _at_rate(self, rate: float) -> GameConfig:
        training = self.config.training.model_copy(update={"learning_rate": rate})
        return self.config.model_copy(update={"training": training})

    def _record(
        self, what: str, policy: NamedChoice, rate: float | None, eta: float | None, accuracy: float, error: float
    ) -> None:
        self.trials.append(
            Trial(what=what, policy=policy.label, learning_rate=rate, eta=eta, accuracy=accuracy, standard_error=error)
        )

    def _run(self, stages: list[Stage]) -> None:
        run_stages(stages, self.store, self.config, self.progress)
