"""Students that train on all traces: with equal weights, or weighed by value at each step or once."""

import math
from dataclasses import dataclass

import torch

from distillgame.students.base import Prepared, Student, require_eta, students
from distillgame.students.lessons import Desk, Lesson, reweighed
from distillgame.students.valuation import Value, Valuing, appraise


@students.register("passive")
@dataclass(frozen=True)
class Passive(Prepared):
    """Trains uniformly on all released traces (rho = 0, that is, eta = 0)."""

    name = "passive"


@students.register("adaptive")
@dataclass(frozen=True)
class Adaptive(Student):
    """Trains with w ∝ exp(eta·v) in the minibatch, v and g at the current parameters (The Distillation Game).

    ``eta`` is absolute: values are not standardised, because their spread is what distinguishes a defended minibatch
    from an undefended one.
    """

    eta: float
    name = "adaptive"

    def __post_init__(self) -> None:
        require_eta(self.name, self.eta)

    @property
    def needs_values(self) -> bool:
        """True."""
        return True

    def log_weights(self, values: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Return eta·v."""
        return self.eta * values


@students.register("adaptive_once")
@dataclass(frozen=True)
class AdaptiveOnce(Valuing):
    """Weights w ∝ exp(eta·v) computed once over the whole set, as in the published code but with the right sign.

    Values are taken over all parameters of the base model, even when adapters are trained: at their start, half of
    the adapters' gradients are zero, which the published code did not account for.
    """

    eta: float
    value: Value = "grad"
    name = "adaptive_once"

    def __post_init__(self) -> None:
        require_eta(self.name, self.eta)

    @property
    def whole_set(self) -> bool:
        """True."""
        return True

    def prepare(self, desk: Desk) -> list[Lesson]:
        """Return all traces, each weighed by its value; the mean weight is one."""
        lessons = super().prepare(desk)
        tilts = [self.eta * value for value in appraise(desk, lessons, self.value)]
        peak = max(tilts, default=0.0)
        mean = math.log(sum(math.exp(tilt - peak) for tilt in tilts) / max(1, len(tilts))) + peak if tilts else 0.0
        return reweighed(lessons, [tilt - mean for tilt in tilts])
