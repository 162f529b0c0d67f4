"""Reconstruct the working behind released traces: train an inverter, and let it write the traces out."""

import random
from typing import ClassVar

from distillgame.arena.stages.base import StageContext
from distillgame.arena.stages.inputs import TRACES, TracesStage, TrainingStage, write_training
from distillgame.arena.stages.model import Model
from distillgame.arena.stages.problems import ProblemSet
from distillgame.arena.stages.training.rewrite import RewriteStage
from distillgame.arena.stages.writer import local_writer
from distillgame.choices import NamedChoice
from distillgame.models import ModelSpec, load_model
from distillgame.policies.forms import WrittenForm, make_form
from distillgame.records import ReleasedTrace, read_released
from distillgame.seeding import derive_seed
from distillgame.students import Supplies, TrainingSettings, distill, make_student
from distillgame.tasks import Message, TaskChoice
from distillgame.writers import Writer


class InverterStage(TrainingStage):
    """The training of a model that writes a whole solution from a prompt and the solution's reduction.

    Attributes:
        base: The attacker's base model.
        references: The problems whose solutions are public.
        own: Completions, wherever they end by themselves, of a student of those solutions.
        form: The form in which completions are released: it is seen in every trace, and solutions can be put into it.
        task: Whose way to ask for an expansion it is.
        training: The trainer's settings.
        seed: Seed of data order, adapters and reductions.
    """

    kind: ClassVar[str] = "inverter"

    base: Model
    references: ProblemSet
    own: tuple[TracesStage, ...] = ()
    form: NamedChoice
    task: TaskChoice
    training: TrainingSettings
    seed: int

    @property
    def label(self) -> str:
        """The base model, the form that it inverts, and the draws it learns from."""
        return f"distill inverter {self.base.spec.name} of {self.form.label} draws={len(self.own)} seed={self.seed}"

    @property
    def base_spec(self) -> ModelSpec:
        """The base model in full precision, in which students train."""
        return self.base.spec.in_full_precision()

    @property
    def examples(self) -> int:
        """Number of solutions it learns from, if all completions end by themselves."""
        return self.references.size + sum(stage.count for stage in self.own)

    @property
    def effort(self) -> float:
        """A training, and one more per draw."""
        return 3.0 * (1 + len(self.own))

    @property
    def devices(self) -> int:
        """As many as the settings say."""
        return self.training.devices

    def run(self, context: StageContext) -> None:
        """Write the trained model to ``model/`` and ``training.json``."""
        model, report = distill(
            load_model(self.base_spec, context.device),
            make_student("passive"),
            Supplies(self.pairs(context)),
            [],
            self.training,
            self.seed,
            checkpoints=context.out / "checkpoints" if self.training.checkpoint_every else None,
            progress=context.progress,
        )
        write_training(context.out, model, report)

    def pairs(self, context: StageContext) -> list[ReleasedTrace]:
        """Return what it learns from: each solution as the answer to its prompt and its own reduction."""
        solutions = self.references.reference_solutions()
        for stage in self.own:
            completions = read_released(context.folder(stage) / TRACES)
            solutions += [trace for trace in completions if trace.finish_reason == "stop"]
        generator = random.Random(derive_seed(self.seed, "reduce"))
        return [self._pair(solution, generator) for solution in solutions]

    def _pair(self, solution: ReleasedTrace, generator: random.Random) -> ReleasedTrace:
        task, (*prompt, answer) = self.task.task, solution.messages
        form, text = make_form(self.form), answer["content"]
        if isinstance(form, WrittenForm):
            # Whoever writes it is not the attacker's to ask: a reduction stands for what is written.
            shown = form.choose(text, task.summary(text) or task.reduced(text, generator), task)
        else:
            shown = form.release(task.reduced(text, generator) if form.whole else text, task)
        return ReleasedTrace([*task.expanding(prompt, shown), answer], "stop")


class ExpandStage(RewriteStage):
    """``k`` expansions of each trace by an inverter.

    Attributes:
        inverter: The inverter.
    """

    kind: ClassVar[str] = "expand"

    inverter: InverterStage

    @property
    def label(self) -> str:
        """The traces, and who expands them."""
        return f"expand {self.traces.label} by {self.inverter.label.removeprefix('distill ')}"

    def _writer(self, context: StageContext) -> Writer:
        return local_writer(self.inverter, self.sampling, context)

    def _asked(self, trace: ReleasedTrace) -> list[Message]:
        return self.task.task.expanding(trace.messages[:-1], trace.messages[-1]["content"])
