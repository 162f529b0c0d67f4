"""Train one student on what was released."""

from typing import ClassVar

from distillgame.arena.stages.base import StageContext
from distillgame.arena.stages.inputs import TRACES, TracesStage, TrainingStage, write_training
from distillgame.arena.stages.model import Model
from distillgame.arena.stages.problems import ProblemSet
from distillgame.arena.stages.sampling.sample import SampleStage
from distillgame.arena.stages.training.invert import ExpandStage
from distillgame.arena.stages.training.rewrite import RewriteStage
from distillgame.errors import DistillgameError
from distillgame.models import ModelSpec, load_model, load_tokenizer
from distillgame.records import (
    ReleasedLogprobs,
    ReleasedTrace,
    read_logprobs,
    read_released,
    read_traces,
    read_verdicts,
)
from distillgame.students import (
    Objective,
    StudentChoice,
    Supplies,
    TrainingSettings,
    distill,
)
from distillgame.tasks import TaskChoice


class DistillStage(TrainingStage):
    """One training.

    Attributes:
        student: The student and its settings.
        base: The attacker's base model.
        traces: The released traces it trains on, or None if it needs none.
        queries: How many of them it asks for, further draws included.
        further: Further draws of the same prompts.
        later: What it asked in all rounds after the first.
        answered: For each of those rounds, what the student answered that asked.
        own: The base model's own completions of the prompts, one stage per completion.
        rewrites: The base model's rewritings of the traces.
        expansions: The traces as an inverter writes them out.
        exposed: The same traces with released log-probabilities, where the server exposes them.
        references: Public worked solutions to train on.
        proxy: The defender's proxy, where the student knows it.
        reader: The passive student of the traces, where the student reads them as it does.
        objective: The validation objective, where the student has one.
        holdout: Its problems, for ``reference``.
        holdout_traces: Its traces, for ``released`` and ``clean``; those whose answer is right are used.
        task: Whose notation of answers it is.
        training: The trainer's settings.
        seed: Seed of data order and adapters.
    """

    kind: ClassVar[str] = "distill"
    revision: ClassVar[int] = 2

    student: StudentChoice
    base: Model
    traces: TracesStage | None = None
    queries: int
    further: tuple[TracesStage, ...] = ()
    later: tuple[TracesStage, ...] = ()
    answered: tuple[TracesStage, ...] = ()
    own: tuple[TracesStage, ...] = ()
    rewrites: RewriteStage | None = None
    expansions: ExpandStage | None = None
    exposed: SampleStage | None = None
    references: ProblemSet | None = None
    proxy: Model | None = None
    reader: TrainingStage | None = None
    objective: Objective | None = None
    holdout: ProblemSet | None = None
    holdout_traces: TracesStage | None = None
    task: TaskChoice
    training: TrainingSettings
    seed: int

    @property
    def label(self) -> str:
        """The student, and what it learns from."""
        source = "public solutions" if self.traces is None else f"{self.queries} of {self.traces.defense}"
        return f"distill {self.student.label} from {source} seed={self.seed}"

    @property
    def base_spec(self) -> ModelSpec:
        """The base model in full precision, in which students train."""
        return self.base.spec.in_full_precision()

    @property
    def effort(self) -> float:
        """Some samplings, and more where traces are valued at every step."""
        return 5.0 if self.student.student.needs_values else 3.0

    @property
    def devices(self) -> int:
        """As many as the settings say."""
        return self.training.devices

    def run(self, context: StageContext) -> None:
        """Write the trained model to ``model/`` and ``training.json``."""
        model, report = distill(
            load_model(self.base_spec, context.device),
            self.student.student,
            self._supplies(context),
            self._objective(context),
            self.training,
            self.seed,
            checkpoints=context.out / "checkpoints" if self.training.checkpoint_every else None,
            progress=context.progress,
        )
        write_training(context.out, model, report)

    def _supplies(self, context: StageContext) -> Supplies:
        count = self.queries // (1 + len(self.further) + len(self.later))
        path = None if self.traces is None else context.folder(self.traces) / TRACES
        return Supplies(
            traces=[] if path is None else read_released(path)[:count],
            further=[read_released(context.folder(stage) / TRACES)[:count] for stage in self.further],
            later=[trace for stage in self.later for trace in read_released(context.folder(stage) / TRACES)],
            mistaken=self.mistaken(context),
            verdicts=[] if path is None else (read_verdicts(path) or [])[:count],
            pass_rates=self._pass_rates(context, count),
            rewrites=self._grouped(self.rewrites, context, count),
            expansions=self._grouped(self.expansions, context, count),
            logprobs=self._logprobs(context, count),
            references=[] if self.references is None else self.references.reference_solutions(),
            proxy=None if self.proxy is None else self.proxy.load(context.device),
            reader=None if self.reader is None else self.reader.load(context),
            temperature=1.0 if self.exposed is None else self.exposed.sampling.temperature,
            final_answer=self.task.task.final_answer,
        )

    def mistaken(self, context: StageContext) -> list[ReleasedTrace | None]:
        """Return the wrong answers to what was asked in later rounds by the students that asked it; None if right."""
        found: list[ReleasedTrace | None] = []
        for asked, answered in zip(self.later, self.answered, strict=True):
            wrong = {t.problem_id: t for t in read_traces(context.folder(answered) / TRACES) if not t.correct}
            for trace in read_traces(context.folder(asked) / TRACES):
                mistake = wrong.get(trace.problem_id)
                found.append(None if mistake is None else ReleasedTrace(mistake.messages, mistake.finish_reason))
        return found

    def _pass_rates(self, context: StageContext, count: int) -> list[tuple[int, int]]:
        columns = [read_verdicts(context.folder(stage) / TRACES) or [] for stage in self.own]
        return [(sum(verdicts), len(verdicts)) for verdicts in zip(*columns, strict=True)][:count]

    def _grouped(self, made: RewriteStage | None, context: StageContext, count: int) -> list[list[ReleasedTrace]]:
        """Return what was made of each of the first traces, several texts per trace."""
        if made is None:
            return []
        texts = read_released(context.folder(made) / TRACES)
        return [texts[made.k * i : made.k * (i + 1)] for i in range(count)]

    def _logprobs(self, context: StageContext, count: int) -> list[ReleasedLogprobs]:
        if self.exposed is None:
            return []
        if load_tokenizer(self.exposed.model.spec).get_vocab() != load_tokenizer(self.base.spec).get_vocab():
            raise DistillgameError(
                f"student '{self.student.name}' needs the teacher's vocabulary; that of '{self.base.spec.name}' differs"
            )
        return read_logprobs(context.folder(self.exposed) / TRACES, count)

    def _objective(self, context: StageContext) -> list[ReleasedTrace]:
        if self.holdout is not None:
            return self.holdout.reference_solutions()
        if self.holdout_traces is not None:
            return read_released(context.folder(self.holdout_traces) / TRACES, correct_only=True)
        return []
