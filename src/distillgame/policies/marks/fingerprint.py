"""Antidistillation fingerprinting (ADFP; Xu et al., "Antidistillation Fingerprinting", arXiv 2602.03812)."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from distillgame.errors import DistillgameError
from distillgame.policies.base import Experts, Knob, policies, require_range
from distillgame.policies.marks.base import MarkPolicy
from distillgame.policies.marks.watermark import require_share
from distillgame.policies.proxies import DEFAULT_PROXIES, Proxies, require_proxies, weighted_mean, weights_of


@policies.register("fingerprint")
@dataclass(frozen=True)
class Fingerprint(MarkPolicy):
    """log pi + lambda·delta, delta being the derivative of the proxy's log-probabilities along the fingerprint.

    The fingerprint is the unit-norm gradient at the proxy of the green-list statistic: the mean over contexts of the
    probability of green tokens. To first order, training on a token moves that statistic in proportion to its delta, so
    the tilt prefers the tokens that a student will betray itself by. It is the machinery of ADS with another objective,
    and as there lambda is per unit of log-probability after temperature. Green lists are those of ``watermark``.

    Args:
        lambda_: The option ``lambda``: the tilt.
        green: The share of green tokens.
        through: Names of the proxies, or names with weights; their vocabulary is the teacher's.
    """

    lambda_: float = 0.1
    green: float = 0.5
    through: Proxies = DEFAULT_PROXIES
    name = "fingerprint"
    knob: ClassVar[Knob | None] = Knob("lambda")

    def __post_init__(self) -> None:
        super().__post_init__()
        require_range(self.name, "lambda", self.lambda_, 0)
        require_share(self.name, self.green)
        require_proxies(self.name, self.through)
        inner = self.inner
        if self.salts != 1:
            raise DistillgameError(f"policy '{self.name}': salts must be 1: its direction is that of one set of lists")
        if inner.needs_delta:
            raise DistillgameError(
                f"policy '{self.name}': on: '{inner.name}' needs the proxy's derivative along another gradient; mark "
                "it by 'watermark' or 'keyed'"
            )
        if inner.uses_proxies and dict(inner.proxy_weights) != self.through_weights:
            raise DistillgameError(
                f"policy '{self.name}': on: '{inner.name}' has to use the same proxies with the same weights"
            )
        object.__setattr__(self, "needs_delta", True)
        object.__setattr__(self, "proxies", self.through)

    @property
    def through_weights(self) -> dict[str, float]:
        """The proxies' weights as given, by name."""
        return weights_of(self.through)

    def is_neutral(self, temperature: float) -> bool:
        """Return whether neither the mark nor the policy under it changes anything."""
        return (self.lambda_ == 0 or temperature == 0) and self.inner.is_neutral(temperature)

    def tilted(self, logits: torch.Tensor, experts: Experts) -> torch.Tensor:
        """Return logits that are raised for tokens that raise the student's green-list statistic."""
        if self.lambda_ == 0 or experts.temperature == 0:
            return logits
        delta = weighted_mean(experts.deltas, self.weights)
        return torch.add(logits, delta, alpha=experts.temperature * self.lambda_)
