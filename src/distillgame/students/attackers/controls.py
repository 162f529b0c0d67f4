"""Control students: they are no attacks, but what attacks are compared with."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from distillgame.errors import DistillgameError
from distillgame.students.attackers.weighing import Adaptive
from distillgame.students.base import Prepared, Student, students
from distillgame.students.lessons import Desk, Lesson
from distillgame.students.supplies import Needs


@students.register("untrained")
@dataclass(frozen=True)
class Untrained(Student):
    """The attacker's base model without any training: leakage is what exceeds its accuracy."""

    name = "untrained"
    control = True
    trains = False

    @property
    def needs(self) -> Needs:
        """Nothing."""
        return Needs(traces=False)

    def log_weights(self, values: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Raise: the trainer never calls this."""
        raise DistillgameError("the untrained student is not trained")


@students.register("reference")
@dataclass(frozen=True)
class Reference(Prepared):
    """Trains on the attacker's public worked solutions only, and on no released trace."""

    name = "reference"
    control = True

    @property
    def needs(self) -> Needs:
        """Public solutions only."""
        return Needs(traces=False, references=True)

    def prepare(self, desk: Desk) -> list[Lesson]:
        """Return the public solutions."""
        return desk.lessons(desk.supplies.references)


@students.register("eta_zero")
@dataclass(frozen=True)
class EtaZero(Adaptive):
    """The adaptive student with eta = 0: the same code, which must reproduce the passive student."""

    eta: float = 0.0
    name = "eta_zero"
    control = True

    def __post_init__(self) -> None:
        if self.eta != 0:
            raise DistillgameError(f"student 'eta_zero': eta is 0 (found {self.eta!r})")

    @property
    def settings(self) -> Mapping[str, float]:
        """Nothing to set."""
        return {}


@students.register("shuffled")
@dataclass(frozen=True)
class Shuffled(Adaptive):
    """The adaptive student with its weights shuffled within the minibatch: the same sizes without their meaning."""

    name = "shuffled"
    control = True

    def log_weights(self, values: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Return eta·v, each of another trace in the batch."""
        order = torch.randperm(len(values), generator=generator)
        return self.eta * values[order.to(values.device)]


@students.register("oracle")
@dataclass(frozen=True)
class Oracle(Adaptive):
    """The adaptive student whose validation objective is undefended traces, which no real attacker has."""

    name = "oracle"
    control = True
    objective = "clean"
