"""From finished stages to rows of results."""

import json
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from distillgame.arena.config import NamedChoice
from distillgame.arena.plan import Planner
from distillgame.arena.stages import COSTS, TRACES, SampleStage, library_versions
from distillgame.arena.store import Store
from distillgame.errors import DistillgameError
from distillgame.policies import ReleasePolicy, make_policy
from distillgame.records import (
    Difference,
    Interval,
    Results,
    StudentRow,
    TeacherRow,
    ThreatModel,
    Trace,
    read_traces,
)
from distillgame.stats import standard_error
from distillgame.students import make_student


@dataclass(frozen=True)
class Answers:
    """Answers to the same problems, one set a seed."""

    traces: Sequence[Sequence[Trace]]

    @property
    def correct(self) -> np.ndarray:
        """Outcomes, seeds by problems."""
        return np.array([[trace.correct for trace in seed] for seed in self.traces], dtype=float)

    def summary(self, seeds: list[int]) -> dict[str, Any]:
        """The fields that rows of teachers and students share."""
        finished = np.array([[trace.finish_reason == "stop" for trace in seed] for seed in self.traces])
        correct = self.correct
        return {
            "accuracy": float(correct.mean()),
            "standard_error": standard_error(correct),
            "n": correct.shape[1],
            "seeds": seeds,
            "accuracies": [float(value) for value in correct.mean(1)],
            "finish_rate": float(finished.mean()),
            "accuracy_if_finished": float(correct[finished].mean()) if finished.any() else None,
        }


class Collector:
    """Reads the results of a game out of a store.

    Args:
        planner: The game.
        store: Where its stages are.
        split: The split that is reported.
    """

    def __init__(self, planner: Planner, store: Store, split: str = "test"):
        self.planner, self.store, self.split = planner, store, split
        self.config = planner.config
        self.seeds = planner.config.seeds

    def results(self, command: str) -> Results:
        """All rows.

        Raises:
            DistillgameError: If a stage is missing or corrupt.
        """
        config = self.config
        costs = json.loads((self.store.folder(self.planner.cost()) / COSTS).read_text())
        return Results(
            schema=1,
            command=command,
            versions={"python": platform.python_version(), **library_versions()},
            device=self.store.device,
            task=config.task.name,
            split=self.split,
            models={
                "teacher": config.teacher.source,
                "proxy": ", ".join(spec.source for spec in config.all_proxies.values()) or None,
                "student": config.student.source,
            },
            teachers=[self.teacher(policy, costs.get(policy.label)) for policy in config.policies],
            students=[self.student(policy, student) for policy in config.policies for student in config.students],
            config=config.model_dump(mode="json"),
        )

    def teacher(self, policy: NamedChoice, cost: dict[str, float] | None = None) -> TeacherRow:
        """The row of a policy."""
        answers = self._answers([self.planner.sample(policy, self.split, seed) for seed in self.seeds])
        kl = [[trace.kl for trace in seed] for seed in answers.traces]
        measured = None if any(value is None for seed in kl for value in seed) else np.array(kl, dtype=float)
        tokens = [trace.sampled_tokens for seed in answers.traces for trace in seed]
        made = make_policy(policy.name, policy.options)
        return TeacherRow(
            **_defense(made),
            control=made.control,
            kl_per_trace=None if measured is None else float(measured.mean()),
            kl_standard_error=None if measured is None else standard_error(measured),
            time_cost=None if cost is None else cost["median"],
            time_cost_range=None if cost is None else Interval(**cost),
            mean_tokens=float(np.mean(tokens)),
            **answers.summary(self.seeds),
        )

    def student(self, policy: NamedChoice, student: NamedChoice) -> StudentRow:
        """The row of a student under a policy."""
        made = make_student(student.name, student.options)
        answers = self.answers(policy, student)
        passive = next((choice for choice in self.config.students if choice.name == "passive"), None)
        difference = None
        if passive is not None and made.name != "passive":
            gap = answers.correct - self.answers(policy, passive).correct
            difference = Difference(value=float(gap.mean()), standard_error=standard_error(gap))
        return StudentRow(
            **_defense(make_policy(policy.name, policy.options)),
            student=student.name,
            settings=dict(made.settings),
            threat_model=ThreatModel(
                base_model=self.config.student.source,
                queries=self.config.splits["train"] if made.trains else 0,
                objective=self.config.attacker.objective if made.needs_values else None,
            ),
            control=made.control,
            rho=self._rho(policy, student) if made.trains else None,
            over_passive=difference,
            **answers.summary(self.seeds),
        )

    def answers(self, policy: NamedChoice, student: NamedChoice) -> Answers:
        """What a student answered, having learnt from a policy's traces."""
        return self._answers([self.planner.evaluate(policy, student, self.split, seed) for seed in self.seeds])

    def _rho(self, policy: NamedChoice, student: NamedChoice) -> float:
        reports = [
            json.loads((self._folder_of_training(policy, student, seed) / "training.json").read_text())
            for seed in self.seeds
        ]
        return float(np.mean([report["rho"] for report in reports]))

    def _folder_of_training(self, policy: NamedChoice, student: NamedChoice, seed: int) -> Path:
        return self.store.folder(self.planner.distill(policy, student, seed))

    def _answers(self, stages: Sequence[SampleStage]) -> Answers:
        traces = [read_traces(self.store.folder(stage) / TRACES) for stage in stages]
        asked = [[trace.problem_id for trace in seed] for seed in traces]
        if any(ids != asked[0] for ids in asked):
            raise DistillgameError(f"stage '{stages[0].label}': seeds answered different problems")
        return Answers(traces)


def _defense(policy: ReleasePolicy) -> dict[str, Any]:
    """The fields by which rows name a policy."""
    uses_proxies = policy.needs_proxy or policy.needs_delta
    return {
        "policy": policy.name,
        "strength": dict(policy.strength),
        "proxies": dict(policy.proxies) if uses_proxies else {},
        "combine": policy.combine if len(policy.proxies) > 1 else None,
    }
