"""The passive and the adaptive student."""

from dataclasses import dataclass

import torch

from distillgame.students.base import Prepared, Student, students
from distillgame.students.checks import require_eta


@students.register("passive")
@dataclass(frozen=True)
class Passive(Prepared):
    """Trains uniformly on all released traces (rho = 0, that is eta = 0)."""

    name = "passive"


@students.register("adaptive")
@dataclass(frozen=True)
class Adaptive(Student):
    """Trains with w ∝ exp(eta·v) in the minibatch, v and g at the current parameters (The Distillation Game).

    ``eta`` is absolute: values are not standardised, since their spread is what tells a defended minibatch from an
    undefended one.
    """

    eta: float
    name = "adaptive"
    needs_values = True
    needs_objective = True

    def __post_init__(self) -> None:
        require_eta(self.name, self.eta)

    def log_weights(self, values: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """eta·v."""
        return self.eta * values
