"""Product-of-Experts: the teacher's best response to the value v_gap (The Distillation Game, section on PoE)."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from distillgame.policies.base import Experts, ReleasePolicy, policies, require_range


@policies.register("poe")
@dataclass(frozen=True)
class ProductOfExperts(ReleasePolicy):
    """pi_rel ∝ pi_ref^(1-gamma) · pi_stu^gamma, token by token.

    The strength does not depend on the temperature: mixing logits before it or log-probabilities after it is the same.
    """

    gamma: float
    name = "poe"
    needs_proxy = True

    def __post_init__(self) -> None:
        require_range(self.name, "gamma", self.gamma, 0, 1)

    @property
    def strength(self) -> Mapping[str, float]:
        """The mixing weight gamma: 0 is the teacher, 1 the proxy."""
        return {"gamma": self.gamma}

    def logits(self, experts: Experts) -> torch.Tensor:
        """Return (1-gamma)·teacher + gamma·proxy."""
        assert experts.proxy is not None
        # Not `lerp`, which makes an excluded token (-inf) not a number.
        return torch.mul(experts.teacher, 1 - self.gamma).add_(experts.proxy, alpha=self.gamma)

    def draft(self, experts: Experts) -> torch.Tensor:
        """Return the proxy's logits: a product of the proxy with itself is the proxy."""
        assert experts.proxy is not None
        return experts.proxy
