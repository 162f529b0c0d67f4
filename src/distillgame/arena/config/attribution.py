"""The attribution section of a game: the suspects that are made, washed or framed."""

from typing import Any, Literal

from pydantic import Field, model_validator

from distillgame.strict import Strict
from distillgame.students import StudentChoice

EvidenceKind = Literal["released", "prompts", "held_out", "samples"]


class Suspect(Strict):
    """A way to make a suspect.

    Attributes:
        name: Its name in the table.
        student: The student, which may wash the traces before it trains.
        queries: Number of traces it asks for; all of the training split if None.
        share: Share of its diet that is marked; the rest are the teacher's unmarked traces for other draws.
        owners: Number of owners whose traces its diet is made of, in turn.
        framed: Share of its diet that are another owner's traces, the victim's, to frame it.
        set: Values that replace the game's for it, by dotted name: of ``training``, ``student`` or
            ``attribution.evidence``.
    """

    name: str
    student: StudentChoice = StudentChoice(name="passive")
    queries: int | None = Field(None, ge=2)
    share: float = Field(1.0, gt=0, le=1)
    owners: int = Field(1, ge=1)
    framed: float = Field(0.0, ge=0, lt=1)
    set: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check(self) -> "Suspect":
        if (self.share < 1) + (self.owners > 1) + (self.framed > 0) > 1:
            raise ValueError("share, owners and framed: a diet is mixed in one way")
        for name, value in (("share", self.share), ("framed", self.framed)):
            if round(100 * value) != round(100 * value, 6) or (0 < value < 0.01):
                raise ValueError(f"{name}: a diet is mixed by whole percents (found {value:g})")
        for name in self.set:
            if not name.startswith(("training.", "student", "attribution.evidence")):
                raise ValueError(f"set: '{name}' is the whole game's; a suspect has its own training and base model")
        return self

    @property
    def mixed(self) -> bool:
        """True if its diet has several sources."""
        return self.share < 1 or self.owners > 1 or self.framed > 0


class AttributionSettings(Strict):
    """The game of attribution.

    Attributes:
        suspects: The suspects that are made under every marked policy.
        keys: Number of owners whose keys are tested, the suspect's and the victim's included.
        evidence: The kinds of evidence: the owner's ``released`` texts, its ``prompts`` with the teacher's unmarked
            answers, ``held_out`` prompts with such answers, or ``samples`` that the suspect writes for the owner's
            prompts.
        alpha: Level of the corrected p-values at which an owner is named.
    """

    suspects: list[Suspect] = Field(default_factory=list)
    keys: int = Field(100, ge=3)
    evidence: tuple[EvidenceKind, ...] = ("released", "prompts", "held_out")
    alpha: float = Field(1e-3, gt=0, lt=1)

    @model_validator(mode="after")
    def _check(self) -> "AttributionSettings":
        names = [suspect.name for suspect in self.suspects]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"suspects: '{name}' is listed twice")
        for suspect in self.suspects:
            if suspect.owners >= self.keys:
                raise ValueError(f"keys: {self.keys} leave no stranger beside the {suspect.owners} of '{suspect.name}'")
        return self
