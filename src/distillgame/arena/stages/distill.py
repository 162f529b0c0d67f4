"""Train one student on what was released."""

from typing import ClassVar, Literal

from distillgame.arena.config import NamedChoice
from distillgame.arena.stages.base import Model, Stage, StageContext
from distillgame.arena.stages.problems import ProblemSet
from distillgame.arena.stages.sample import TRACES, SampleStage
from distillgame.models import load_model
from distillgame.records import ReleasedTrace, read_released
from distillgame.students import TrainingSettings, distill, make_student


class DistillStage(Stage):
    """One training.

    Attributes:
        student: The student and its settings.
        base: The attacker's base model.
        traces: The released traces it trains on.
        objective: The validation objective, where the student has one.
        holdout: Its problems, for ``reference``.
        holdout_traces: Its traces, for ``released`` and ``clean``; those whose answer is right are used.
        training: The trainer's settings.
        seed: Seed of data order and adapters.
    """

    kind: ClassVar[str] = "distill"

    student: NamedChoice
    base: Model
    traces: SampleStage
    objective: Literal["reference", "released", "clean"] | None = None
    holdout: ProblemSet | None = None
    holdout_traces: SampleStage | None = None
    training: TrainingSettings
    seed: int

    @property
    def label(self) -> str:
        """Who learns from which policy."""
        return f"distill {self.student.label} from {self.traces.policy.label} seed={self.seed}"

    def run(self, context: StageContext) -> None:
        """Write the trained model to ``model/`` and ``training.json``."""
        model, report = distill(
            load_model(self.base.spec.in_full_precision(), context.device),
            make_student(self.student.name, self.student.options),
            read_released(context.folder(self.traces) / TRACES),
            self._objective(context),
            self.training,
            self.seed,
            checkpoints=context.out / "checkpoints" if self.training.checkpoint_every else None,
            progress=context.progress,
        )
        model.model.save_pretrained(context.out / "model")
        model.tokenizer.save_pretrained(context.out / "model")
        report.write(context.out / "training.json")

    def _objective(self, context: StageContext) -> list[ReleasedTrace]:
        if self.holdout is not None:
            return self.holdout.reference_solutions()
        if self.holdout_traces is not None:
            return read_released(context.folder(self.holdout_traces) / TRACES, correct_only=True)
        return []
