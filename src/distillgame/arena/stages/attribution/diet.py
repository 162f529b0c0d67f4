"""A diet of which only a part is marked, or of which several owners' traces are parts."""

from typing import ClassVar

from pydantic import Field

from distillgame.arena.stages.base import StageContext
from distillgame.arena.stages.inputs import TRACES, TracesStage
from distillgame.records import read_released, read_verdicts, write_released


class DietStage(TracesStage):
    """Traces of several sources for the same prompts, each prompt's from one source.

    Prompts go to the sources in turn, so that every part of the training set has all of them.

    Attributes:
        sources: The sources.
        portions: How many of every so many prompts each source answers.
    """

    kind: ClassVar[str] = "diet"

    sources: tuple[TracesStage, ...] = Field(min_length=1)
    portions: tuple[int, ...]

    @property
    def defense(self) -> str:
        """The sources' defenses, with their portions."""
        parts = (f"{n} of {source.defense}" for n, source in zip(self.portions, self.sources, strict=True))
        return " and ".join(parts)

    @property
    def label(self) -> str:
        """The portions."""
        return f"mix {self.defense}"

    @property
    def count(self) -> int:
        """Number of traces."""
        return min(source.count for source in self.sources)

    @property
    def verdicts(self) -> bool:
        """True if all sources say which answers are right."""
        return all(source.verdicts for source in self.sources)

    def run(self, context: StageContext) -> None:
        """Write the part that an attacker sees."""
        files = [context.folder(source) / TRACES for source in self.sources]
        texts = [read_released(path) for path in files]
        verdicts = [read_verdicts(path) for path in files]
        chosen = _sources(self.portions, self.count)
        known = [each for each in verdicts if each is not None]
        right = [known[which][place] for place, which in enumerate(chosen)] if len(known) == len(files) else None
        write_released(context.out / TRACES, [texts[which][place] for place, which in enumerate(chosen)], right)


class PortionStage(TracesStage):
    """The traces for those prompts which one source of a diet answers.

    Attributes:
        traces: Traces for all prompts of the diet.
        portions: How many of every so many prompts each source answers.
        which: Number of the source.
    """

    kind: ClassVar[str] = "portion"

    traces: TracesStage
    portions: tuple[int, ...]
    which: int

    @property
    def defense(self) -> str:
        """The traces' defense."""
        return self.traces.defense

    @property
    def label(self) -> str:
        """The traces, and which of them."""
        return f"{self.portions[self.which]} of {sum(self.portions)}, from {self.which + 1}, of {self.traces.label}"

    @property
    def count(self) -> int:
        """Number of traces of the portion."""
        return _sources(self.portions, self.traces.count).count(self.which)

    @property
    def verdicts(self) -> bool:
        """False: nobody trains on them."""
        return False

    def run(self, context: StageContext) -> None:
        """Write the portion."""
        traces = read_released(context.folder(self.traces) / TRACES)
        sources = _sources(self.portions, len(traces))
        pairs = zip(traces, sources, strict=True)
        write_released(context.out / TRACES, [trace for trace, source in pairs if source == self.which])


def _sources(portions: tuple[int, ...], count: int) -> list[int]:
    """Return the number of each prompt's source."""
    turn = [which for which, portion in enumerate(portions) for _ in range(portion)]
    return [turn[place % len(turn)] for place in range(count)]
