"""Budgets, and how they are measured on sampled traces: KL per trace or per token, and teacher accuracy."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from distillgame.errors import DistillgameError
from distillgame.records import Trace
from distillgame.stats import accuracy_interval, standard_error

Unit = Literal["trace", "token"]

CONFIDENCE = 1.96
"""Standard errors to either side of an estimate that a 95% interval reaches."""


@dataclass(frozen=True)
class Estimate:
    """A mean over traces.

    Attributes:
        value: The estimate.
        standard_error: Its standard error, over problems and rounds.
        n: Number of traces.
        interval: Its 95% confidence interval.
    """

    value: float
    standard_error: float
    n: int
    interval: tuple[float, float]

    @classmethod
    def of_kl(cls, value: float, error: float, n: int) -> "Estimate":
        """Return the estimate of a KL, whose interval goes no further below than 0."""
        half = CONFIDENCE * error
        return cls(value, error, n, (max(value - half, 0.0), value + half))


@dataclass(frozen=True)
class KLBudget:
    """Expected KL(pi_rel‖pi_ref), in nats per trace or per sampled token.

    Attributes:
        epsilon: The budget.
        unit: ``trace`` is the game's epsilon; ``token`` is the expected KL of a trace over its expected length.
    """

    epsilon: float
    unit: Unit = "trace"

    def __post_init__(self) -> None:
        if not 0 < self.epsilon < float("inf"):
            raise DistillgameError(f"epsilon: must be a number above 0 (found {self.epsilon})")

    @property
    def goal(self) -> float:
        """The value that the measured quantity shall have."""
        return self.epsilon

    @property
    def measures(self) -> str:
        """The measured quantity, in words."""
        return f"KL in nats per {self.unit}"

    @property
    def tolerance(self) -> float:
        """The distance to the goal at which the search ends."""
        return 0.005 * self.epsilon

    @property
    def label(self) -> str:
        """A name, with the budget."""
        return f"epsilon={self.epsilon:g}" + ("" if self.unit == "trace" else " a token")

    def measure(self, rounds: Sequence[Sequence[Trace]]) -> Estimate:
        """Estimate the KL from rounds of traces of the same problems.

        Raises:
            DistillgameError: If the traces were sampled greedily, where there is no KL.
        """
        if any(trace.kl is None for traces in rounds for trace in traces):
            raise DistillgameError("sampling.temperature: 0 leaves no KL to budget; sample at a temperature above 0")
        kl = np.array([[trace.kl for trace in traces] for traces in rounds], dtype=float)
        if self.unit == "trace":
            return Estimate.of_kl(float(kl.mean()), standard_error(kl), kl.size)
        tokens = np.array([[trace.sampled_tokens for trace in traces] for traces in rounds], dtype=float)
        ratio = float(kl.mean() / tokens.mean())
        # The error of a ratio of means is, to first order, that of the mean of these residuals.
        return Estimate.of_kl(ratio, standard_error((kl - ratio * tokens) / tokens.mean()), kl.size)

    def describe(self, estimate: Estimate) -> str:
        """Return the estimate as text."""
        low, high = estimate.interval
        return f"KL {estimate.value:.4g} nats per {self.unit} (95% interval {low:.4g} to {high:.4g}, n {estimate.n:,})"


@dataclass(frozen=True)
class AccuracyLoss:
    """The accuracy that a defense costs the teacher; it increases with the strength, as a KL does.

    Attributes:
        teacher_accuracy: The accuracy that shall be left.
    """

    teacher_accuracy: float

    def __post_init__(self) -> None:
        if not 0 < self.teacher_accuracy < 1:
            raise DistillgameError(f"teacher-accuracy: must be between 0 and 1 (found {self.teacher_accuracy})")

    @property
    def goal(self) -> float:
        """The share of wrong answers that the teacher shall have."""
        return 1 - self.teacher_accuracy

    @property
    def measures(self) -> str:
        """The measured quantity, in words."""
        return "share of wrong answers"

    @property
    def tolerance(self) -> float:
        """The distance to the goal at which the search ends."""
        return 0.003

    @property
    def label(self) -> str:
        """A name, with the budget."""
        return f"teacher-accuracy={self.teacher_accuracy:g}"

    def measure(self, rounds: Sequence[Sequence[Trace]]) -> Estimate:
        """Estimate the share of wrong answers from rounds of traces of the same problems."""
        wrong = np.array([[not trace.correct for trace in traces] for traces in rounds], dtype=float)
        return Estimate(float(wrong.mean()), standard_error(wrong), wrong.size, accuracy_interval(wrong))

    def describe(self, estimate: Estimate) -> str:
        """Return the estimate as text."""
        low, high = estimate.interval
        interval = f"95% interval {1 - high:.4g} to {1 - low:.4g}, n {estimate.n:,}"
        return f"teacher accuracy {1 - estimate.value:.4g} ({interval})"


Budget = KLBudget | AccuracyLoss
