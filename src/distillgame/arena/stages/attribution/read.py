"""Read texts for what a suspect prefers where they had a choice; no key is needed for it."""

from typing import ClassVar

from distillgame.arena.stages.base import Stage, StageContext
from distillgame.arena.stages.inputs import TRACES, TracesStage, TrainingStage
from distillgame.arena.stages.model import Model

POSITIONS = "positions.json"
"""The file that the stage leaves."""


class ReadStage(Stage):
    """The preferences of a suspect at the positions of some texts.

    Attributes:
        texts: The texts.
        reference: The reference teacher, of whose tokens marks are made.
        temperature: The temperature at which it was released.
        width: Number of tokens of a context.
        suspect: The suspect, if its weights are open and nothing trained it in this run.
        trained: The training that made it, if one did. Without either, the texts are the suspect's own.
    """

    kind: ClassVar[str] = "read"

    texts: TracesStage
    reference: Model
    temperature: float
    width: int
    suspect: Model | None = None
    trained: TrainingStage | None = None

    @property
    def label(self) -> str:
        """The suspect, and the texts."""
        if self.trained is not None:
            return f"read as {self.trained.label.removeprefix('distill ')}: {self.texts.label}, width {self.width}"
        who = "who wrote them" if self.suspect is None else self.suspect.spec.name
        return f"read as {who}: {self.texts.label}, width {self.width}"

    def run(self, context: StageContext) -> None:
        """Write the positions."""
        from distillgame.attribution import Reading, read_samples, read_weights, write_positions
        from distillgame.records import read_released

        texts = read_released(context.folder(self.texts) / TRACES)
        reading = Reading(self.reference.load(context.device), self.temperature, self.width)
        if self.trained is not None:
            found = read_weights(texts, reading, self.trained.load(context), context.progress)
        elif self.suspect is not None:
            found = read_weights(texts, reading, self.suspect.load(context.device), context.progress)
        else:
            found = read_samples(texts, reading, context.progress)
        write_positions(context.out / POSITIONS, found)
