"""Let a model of the attacker's own rewrite released traces before a student trains on them."""

from typing import ClassVar

from distillgame.arena.config import Generation
from distillgame.arena.stages.base import StageContext
from distillgame.arena.stages.inputs import TRACES, TracesStage, TrainingStage
from distillgame.arena.stages.writer import Author, local_writer, make_writer
from distillgame.decoding import Request
from distillgame.models import Endpoint
from distillgame.records import ReleasedTrace, read_released, write_released
from distillgame.seeding import derive_seed
from distillgame.tasks import Message, TaskChoice
from distillgame.writers import Writer


class RewriteStage(TracesStage):
    """``k`` rewritings of each of the first traces, trace by trace.

    Attributes:
        traces: The released traces.
        first: How many of them.
        task: Whose way to ask for a rewriting it is.
        base: Who rewrites.
        sampling: How it is sampled.
        k: Rewritings per trace.
        seed: Seed of the random streams.
    """

    kind: ClassVar[str] = "rewrite"

    traces: TracesStage
    first: int
    task: TaskChoice
    base: Author
    sampling: Generation
    k: int
    seed: int

    @property
    def label(self) -> str:
        """The traces, and who rewrites them."""
        name = self.base.name if isinstance(self.base, Endpoint) else self.base.spec.name
        return f"rewrite {self.traces.defense} by {name} seed={self.seed}"

    @property
    def defense(self) -> str:
        """The defense of the traces."""
        return self.traces.defense

    @property
    def count(self) -> int:
        """Number of rewritings."""
        return self.k * self.first

    @property
    def verdicts(self) -> bool:
        """False: rewritings are not graded."""
        return False

    def run(self, context: StageContext) -> None:
        """Write the rewritings."""
        traces = read_released(context.folder(self.traces) / TRACES)[: self.first]
        writer = self._writer(context)
        found: list[ReleasedTrace] = []
        for place in range(self.k):
            requests = [Request(str(i), self._asked(trace)) for i, trace in enumerate(traces)]
            texts = writer.write(requests, self.sampling.params(), derive_seed(self.seed, place, "rewrite"))
            for trace, written in zip(traces, texts, strict=True):
                answer = {"role": "assistant", "content": written.text}
                found.append(ReleasedTrace([*trace.messages[:-1], answer], written.finish_reason))
            context.progress(place + 1, self.k)
        order = [found[place * len(traces) + i] for i in range(len(traces)) for place in range(self.k)]
        write_released(context.out / TRACES, order)

    def _writer(self, context: StageContext) -> Writer:
        return make_writer(self.base, self.sampling, context)

    def _asked(self, trace: ReleasedTrace) -> list[Message]:
        return self.task.task.rewriting(trace.messages[:-1], trace.messages[-1]["content"])


class RetellStage(RewriteStage):
    """``k`` completions of each trace's prompt by a student that has read the traces.

    Attributes:
        reader: The student.
    """

    kind: ClassVar[str] = "retell"

    reader: TrainingStage

    @property
    def label(self) -> str:
        """The traces, and who tells them anew."""
        return f"retell {self.traces.defense} by {self.reader.label.removeprefix('distill ')}"

    @property
    def effort(self) -> float:
        """One sampling per completion."""
        return float(self.k)

    def _writer(self, context: StageContext) -> Writer:
        return local_writer(self.reader, self.sampling, context)

    def _asked(self, trace: ReleasedTrace) -> list[Message]:
        return trace.messages[:-1]
