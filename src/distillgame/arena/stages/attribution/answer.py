"""Let a suspect, or the teacher, answer prompts, here or behind an endpoint."""

from typing import ClassVar

from distillgame.arena.config import Generation
from distillgame.arena.stages.base import StageContext
from distillgame.arena.stages.inputs import TRACES, TracesStage
from distillgame.arena.stages.writer import Author, make_writer
from distillgame.decoding import Request
from distillgame.models import Endpoint
from distillgame.records import ReleasedTrace, read_released, write_released


class AnswerStage(TracesStage):
    """The answers of a suspect, or of the teacher, to the prompts of some texts.

    Attributes:
        prompts: The texts; their last messages are not shown.
        author: Who answers.
        sampling: How it is sampled.
        seed: Seed of the random streams.
    """

    kind: ClassVar[str] = "answer"

    prompts: TracesStage
    author: Author
    sampling: Generation
    seed: int

    @property
    def defense(self) -> str:
        """The author's name."""
        return self.author.name if isinstance(self.author, Endpoint) else self.author.spec.name

    @property
    def label(self) -> str:
        """The author, and the prompts."""
        return f"ask {self.defense}: {self.prompts.label} seed={self.seed}"

    @property
    def count(self) -> int:
        """Number of prompts."""
        return self.prompts.count

    @property
    def verdicts(self) -> bool:
        """False: nobody grades it."""
        return False

    def run(self, context: StageContext) -> None:
        """Write the answers."""
        asked = [trace.messages[:-1] for trace in read_released(context.folder(self.prompts) / TRACES)]
        requests = [Request(str(place), messages) for place, messages in enumerate(asked)]
        writer = make_writer(self.author, self.sampling, context)
        written = writer.write(requests, self.sampling.params(), self.seed, context.progress)
        write_released(
            context.out / TRACES,
            (
                ReleasedTrace([*messages, {"role": "assistant", "content": text.text}], _ending(text.finish_reason))
                for messages, text in zip(asked, written, strict=True)
            ),
        )


def _ending(reason: str) -> str:
    """Return how an answer ended; what an endpoint stopped for reasons of its own counts as cut."""
    return "stop" if reason == "stop" else "length"
