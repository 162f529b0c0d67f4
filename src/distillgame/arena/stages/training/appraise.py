"""Appraise released traces by every value, at the attacker's base model and at the defender's proxy."""

import json
from pathlib import Path
from typing import ClassVar

from distillgame.arena.stages.base import Stage, StageContext
from distillgame.arena.stages.inputs import TRACES, TracesStage, TrainingStage
from distillgame.arena.stages.model import Model
from distillgame.arena.stages.problems import ProblemSet
from distillgame.models import load_model
from distillgame.records import read_released
from distillgame.students import Supplies, TrainingSettings, Value, appraise, open_desk

APPRAISAL = "appraisal.json"
"""The stage's result: for each value one number per trace, null where nothing of the trace could be learnt."""


class AppraisalStage(Stage):
    """The first traces of a defense, valued in every way by somebody with a model of their own.

    Attributes:
        traces: The traces.
        count: How many of them.
        base: The model at which they are valued.
        reader: A passive student of the traces, with the same base, where ``gap`` is among the values.
        objective: The problems whose worked solutions are the objective.
        training: The settings of the training to come.
        values: The values.
    """

    kind: ClassVar[str] = "appraise"

    traces: TracesStage
    count: int
    base: Model
    reader: TrainingStage | None = None
    objective: ProblemSet
    training: TrainingSettings
    values: tuple[Value, ...]

    @property
    def label(self) -> str:
        """The traces, and at which model they are valued."""
        return f"appraise {self.count} of {self.traces.label.removeprefix('sample ')} at {self.base.spec.name}"

    @property
    def effort(self) -> float:
        """A few samplings: each trace is stepped on."""
        return 5.0

    def run(self, context: StageContext) -> None:
        """Write the values."""
        model = load_model(self.base.spec.in_full_precision(), context.device)
        reader = None if self.reader is None else self.reader.load(context)
        traces = read_released(context.folder(self.traces) / TRACES)[: self.count]
        desk = open_desk(model, Supplies(traces, reader=reader), self.objective.reference_solutions(), self.training)
        places = [place for place, trace in enumerate(traces) if desk.lesson(trace) is not None]
        lessons = desk.lessons(traces)
        found: dict[str, list[float | None]] = {}
        for place, value in enumerate(self.values):
            known = dict(zip(places, appraise(desk, lessons, value), strict=True))
            found[value] = [known.get(place) for place in range(len(traces))]
            context.progress(place + 1, len(self.values))
        (context.out / APPRAISAL).write_text(json.dumps(found) + "\n")


def read_appraisal(folder: Path) -> dict[str, list[float | None]]:
    """Return the values that a finished stage found."""
    values: dict[str, list[float | None]] = json.loads((folder / APPRAISAL).read_text(encoding="utf-8"))
    return values
