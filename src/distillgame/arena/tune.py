"""Choose hyper-parameters on the validation split, and record how."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from distillgame.arena.collect import Collector
from distillgame.arena.config import GameConfig, NamedChoice
from distillgame.arena.plan import STANDARD, Planner
from distillgame.arena.play import pick_device, run_stages
from distillgame.arena.stages import Stage
from distillgame.arena.store import Store, lock
from distillgame.errors import DistillgameError
from distillgame.strict import Strict

SPLIT = "validation"
"""Nothing here ever sees the test split."""

PASSIVE = NamedChoice(name="passive")


class Trial(Strict):
    """One setting that was tried.

    Attributes:
        what: ``learning_rate``, ``strength`` or ``eta``.
        policy: The policy it was tried on.
        value: The setting's value.
        accuracy: The student's accuracy on the validation split; for a strength the teacher's.
        standard_error: Of the accuracy.
    """

    what: str
    policy: str
    value: float
    accuracy: float
    standard_error: float


class TuningResult(Strict):
    """What was tried and what was chosen.

    Attributes:
        trials: Everything tried.
        learning_rate: The rate with the best passive student on undefended traces.
        strengths: For a policy the parameter value whose teacher accuracy is closest to the one asked for.
        eta: The tilt with the best adaptive student, averaged over policies.
    """

    trials: list[Trial]
    learning_rate: float | None
    strengths: dict[str, dict[str, float]]
    eta: float | None


def tune(config: GameConfig, out: Path, progress: bool = True) -> TuningResult:
    """Search what the configuration's ``tuning`` section lists, one thing after the other, on the validation split.

    The learning rate is chosen first (passive student, undefended traces), then each policy's strength (teacher
    accuracy closest to the target), then eta with both in place. The result is also written to ``tuning.json``.

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
        rate = search.learning_rate(wanted.learning_rate) if wanted.learning_rate else None
        strengths = {
            policy: search.strength(policy, values, wanted.teacher_accuracy)
            for policy, values in wanted.strengths.items()
        }
        eta = search.eta(wanted.eta) if wanted.eta else None
        result = TuningResult(trials=search.trials, learning_rate=rate, strengths=strengths, eta=eta)
        (out / "tuning.json").write_text(json.dumps(result.model_dump(), indent=1) + "\n")
    return result


class _Search:
    """Holds the configuration as chosen so far."""

    def __init__(self, config: GameConfig, store: Store, progress: bool):
        self.config, self.store, self.progress = config, store, progress
        self.trials: list[Trial] = []

    def learning_rate(self, values: Sequence[float]) -> float:
        configs = {value: self._with(training={"learning_rate": value}) for value in values}
        self._run(stage for c in configs.values() for stage in _evaluations(c, STANDARD, PASSIVE))
        best = max(values, key=lambda value: self._student("learning_rate", value, configs[value], STANDARD, PASSIVE))
        self.config = configs[best]
        return best

    def strength(self, policy: str, values: Mapping[str, Sequence[float]], target: float) -> dict[str, float]:
        if len(values) != 1:
            raise DistillgameError(f"tuning.strengths.{policy}: list the values of exactly one parameter")
        parameter, tried = next(iter(values.items()))
        choices = {value: NamedChoice(name=policy, options={parameter: value}) for value in tried}
        planner = Planner(self.config)
        self._run(planner.sample(c, SPLIT, seed) for c in choices.values() for seed in self.config.seeds)
        distance = {}
        for value, choice in choices.items():
            row = Collector(planner, self.store, SPLIT).teacher(choice)
            self._record("strength", choice.label, value, row.accuracy, row.standard_error)
            distance[value] = abs(row.accuracy - target)
        best = min(distance, key=lambda value: distance[value])
        policies = [c if c.name != policy else choices[best] for c in self.config.policies]
        self.config = self.config.model_copy(update={"policies": policies})
        return {parameter: best}

    def eta(self, values: Sequence[float]) -> float:
        students = {value: NamedChoice(name="adaptive", options={"eta": value}) for value in values}
        policies = [
            choice
            for choice, policy in zip(self.config.policies, self.config.make_policies(), strict=True)
            if not policy.control
        ]
        self._run(s for student in students.values() for p in policies for s in _evaluations(self.config, p, student))

        def mean(value: float) -> float:
            accuracies = [self._student("eta", value, self.config, policy, students[value]) for policy in policies]
            return sum(accuracies) / len(accuracies)

        return max(values, key=mean)

    def _student(self, what: str, value: float, config: GameConfig, policy: NamedChoice, student: NamedChoice) -> float:
        found = Collector(Planner(config), self.store, SPLIT).answers(policy, student).summary(config.seeds)
        self._record(what, policy.label, value, found["accuracy"], found["standard_error"])
        return float(found["accuracy"])

    def _record(self, what: str, policy: str, value: float, accuracy: float, error: float) -> None:
        self.trials.append(Trial(what=what, policy=policy, value=value, accuracy=accuracy, standard_error=error))

    def _run(self, stages: Iterable[Stage]) -> None:
        run_stages(list(stages), self.store, self.config, self.progress)

    def _with(self, **sections: dict[str, Any]) -> GameConfig:
        update = {name: getattr(self.config, name).model_copy(update=change) for name, change in sections.items()}
        return self.config.model_copy(update=update)


def _evaluations(config: GameConfig, policy: NamedChoice, student: NamedChoice) -> list[Stage]:
    planner = Planner(config)
    return [planner.evaluate(policy, student, SPLIT, seed) for seed in config.seeds]
