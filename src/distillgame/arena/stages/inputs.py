"""The kinds of result that stages read of each other: traces, gradients, trained students."""

import json
from abc import abstractmethod
from pathlib import Path

from distillgame.arena.stages.base import Stage, StageContext
from distillgame.models import LanguageModel, ModelSpec, load_model
from distillgame.students import TrainingReport, is_first

TRACES = "traces.parquet"
"""The file that a stage of traces leaves."""

GRADIENT = "gradient.safetensors"
"""The file that a stage of a gradient leaves: one tensor per parameter."""

MODEL = "model"
"""The folder that a training leaves: weights and tokenizer."""

REPORT = "training.json"
"""The file in which a training describes itself: a :class:`distillgame.students.TrainingReport`."""


class TracesStage(Stage):
    """A stage whose result is released traces, in :data:`TRACES`."""

    @property
    @abstractmethod
    def defense(self) -> str:
        """The name of the defense that released the traces."""

    @property
    @abstractmethod
    def count(self) -> int:
        """Number of traces."""

    @property
    def verdicts(self) -> bool:
        """True if every trace says whether its answer is right."""
        return True

    @property
    def exposes(self) -> bool:
        """True if every trace carries released log-probabilities of the likeliest tokens."""
        return False


class GradientStage(Stage):
    """A stage whose result is the defender's gradient at a proxy, in :data:`GRADIENT`."""


class TrainingStage(Stage):
    """A stage whose result is a trained student, in :data:`MODEL` and :data:`REPORT`."""

    @property
    @abstractmethod
    def base_spec(self) -> ModelSpec:
        """The model that was trained, in the precision of the trained weights."""

    def trained_spec(self, context: StageContext) -> ModelSpec:
        """Return the place of the trained student."""
        return ModelSpec(source=str(context.folder(self) / MODEL), dtype=self.base_spec.dtype)

    def load(self, context: StageContext) -> LanguageModel:
        """Return the trained student."""
        return load_model(self.trained_spec(context), context.device)


def write_training(out: Path, model: LanguageModel, report: TrainingReport) -> None:
    """Write a trained student and the report on it where a :class:`TrainingStage` leaves them.

    Of several processes that trained it together, the first writes.
    """
    if not is_first():
        return
    model.model.save_pretrained(out / MODEL)
    model.tokenizer.save_pretrained(out / MODEL)
    report.write(out / REPORT)


def read_report(folder: Path) -> TrainingReport:
    """Return the report of a finished training."""
    return TrainingReport(**json.loads((folder / REPORT).read_text(encoding="utf-8")))
