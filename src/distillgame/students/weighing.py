"""The passive and the adaptive student, and the controls that belong to them."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from distillgame.errors import DistillgameError
from distillgame.students.base import Student, students


@students.register("untrained")
@dataclass(frozen=True)
class Untrained(Student):
    """The attacker's base model as it is: what leaks has to be more than this."""

    name = "untrained"
    control = True
    trains = False

    def log_weights(self, values: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Never called by the trainer."""
        raise DistillgameError("the untrained student is not trained")


@students.register("passive")
@dataclass(frozen=True)
class Passive(Student):
    """Trains uniformly on all released traces (rho = 0, that is eta = 0)."""

    name = "passive"

    def log_weights(self, values: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Equal weights."""
        return torch.zeros_like(values)


@students.register("adaptive")
@dataclass(frozen=True)
class Adaptive(Student):
    """Trains with w ∝ exp(eta·v), v at the current parameters (The Distillation Game, adaptive student).

    ``eta`` is absolute: values are not standardised, since their spread is what tells a defended minibatch from an
    undefended one.
    """

    eta: float
    name = "adaptive"
    needs_values = True

    def __post_init__(self) -> None:
        if not 0 <= self.eta < float("inf"):
            raise DistillgameError(f"student '{self.name}': eta must be a number at least 0 (found {self.eta!r})")

    @property
    def settings(self) -> Mapping[str, float]:
        """The tilt eta, per nat of value."""
        return {"eta": self.eta}

    def log_weights(self, values: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """eta·v."""
        return self.eta * values


@students.register("shuffled")
@dataclass(frozen=True)
class Shuffled(Adaptive):
    """The adaptive student with its weights shuffled inside the minibatch: the same sizes, without the meaning."""

    name = "shuffled"
    control = True

    def log_weights(self, values: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """eta·v of another trace in the batch."""
        order = torch.randperm(len(values), generator=generator)
        return self.eta * values[order.to(values.device)]
