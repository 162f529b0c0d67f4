"""Reconstruct the working behind released traces: train an inverter, and let it write the traces out."""

import random
from typing import ClassVar

from distillgame.arena.config import Generation
from distillgame.arena.stages.base import StageContext
from distillgame.arena.stages.engine import make_engine
from distillgame.arena.stages.inputs import TRACES, TracesStage, TrainingStage, write_training
from distillgame.arena.stages.model import Model
from distillgame.arena.stages.problems import ProblemSet
from distillgame.decoding import Request
from distillgame.models import ModelSpec, load_model
from distillgame.policies import PolicyChoice
from distillgame.records import ReleasedTrace, read_released, write_released
from distillgame.seeding import derive_seed
from distillgame.students import Supplies, TrainingSettings, distill, make_student
from distillgame.tasks import TaskChoice


class InverterStage(TrainingStage):
    """The training of a model that writes a whole solution from a prompt and the solution's reduction.

    Attributes:
        base: The attacker's base model.
        references: The problems whose solutions are public.
        own: Completions, wherever they end by themselves, of a student of those solutions.
        task: Whose way to ask for an expansion it is.
        training: The trainer's settings.
        seed: Seed of data order, adapters and reductions.
    """

    kind: ClassVar[str] = "inverter"

    base: Model
    references: ProblemSet
    own: tuple[TracesStage, ...] = ()
    task: TaskChoice
    training: TrainingSettings
    seed: int

    @property
    def label(self) -> str:
        """The base model, and the draws it learns from."""
        return f"distill inverter {self.base.spec.name} draws={len(self.own)} seed={self.seed}"

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
        asked = task.expanding(prompt, task.reduced(answer["content"], generator))
        return ReleasedTrace([*asked, answer], "stop")


class ExpandStage(TracesStage):
    """Traces as an inverter writes them out, greedily, trace by trace.

    Attributes:
        traces: The released traces.
        inverter: Who writes them out.
        task: Whose way to ask for an expansion it is.
        sampling: How it is sampled.
    """

    kind: ClassVar[str] = "expand"

    traces: TracesStage
    inverter: InverterStage
    task: TaskChoice
    sampling: Generation

    @property
    def label(self) -> str:
        """The traces, and who expands them."""
        return f"expand {self.traces.label} by {self.inverter.label.removeprefix('distill ')}"

    @property
    def defense(self) -> str:
        """The defense of the traces."""
        return self.traces.defense

    @property
    def count(self) -> int:
        """Number of traces."""
        return self.traces.count

    @property
    def verdicts(self) -> bool:
        """False: expansions are not graded."""
        return False

    def run(self, context: StageContext) -> None:
        """Write the expansions."""
        task, standard = self.task.task, PolicyChoice(name="standard")
        traces = read_released(context.folder(self.traces) / TRACES)
        requests = [
            Request(str(i), task.expanding(trace.messages[:-1], trace.messages[-1]["content"]))
            for i, trace in enumerate(traces)
        ]
        engine = make_engine(self.inverter.load(context), standard, {}, {}, self.sampling, context)
        samples = engine.generate(requests, self.sampling.params(), derive_seed(self.inverter.seed, "expand"))
        found = [
            ReleasedTrace(
                [*trace.messages[:-1], {"role": "assistant", "content": sample.completion}], sample.finish_reason
            )
            for trace, sample in zip(traces, samples, strict=True)
        ]
        write_released(context.out / TRACES, found)
