"""Product-of-Experts: the teacher's best response to the value v_gap (The Distillation Game, section on PoE)."""

from collections.abc import Mapping, Sequence

import torch

from distillgame.policies.base import Experts, Knob, ReleasePolicy, policies, require_range
from distillgame.policies.proxies import as_proxies


@policies.register("poe")
class ProductOfExperts(ReleasePolicy):
    """pi_rel ∝ pi_ref^(1-gamma) · pi_stu^gamma, token by token; of several proxies their weighted product is pi_stu.

    The strength does not depend on the temperature: mixing logits before it or log-probabilities after it is the same.

    Args:
        gamma: The mixing weight: 0 is the teacher, 1 the proxies.
        proxies: Names of the proxies, or names with weights.
    """

    name = "poe"
    needs_proxy = True
    knob = Knob("gamma", most=1.0)

    def __init__(self, gamma: float, proxies: Mapping[str, float] | Sequence[str] = ("proxy",)):
        require_range(self.name, "gamma", gamma, 0, 1)
        self.gamma = gamma
        self.proxies = as_proxies(self.name, proxies)

    @property
    def strength(self) -> Mapping[str, float]:
        """The mixing weight gamma."""
        return {"gamma": self.gamma}

    def logits(self, experts: Experts) -> torch.Tensor:
        """Return (1-gamma)·teacher + gamma·the proxies' weighted mean."""
        if self.gamma == 0:
            return experts.teacher
        if self.gamma == 1:
            return self.product(experts.proxies)
        # Not `lerp`, which makes an excluded token (-inf) not a number.
        result = torch.mul(experts.teacher, 1 - self.gamma)
        for proxy, weight in zip(experts.proxies, self.weights, strict=True):
            result.add_(proxy, alpha=self.gamma * weight)
        return result

    def draft(self, experts: Experts) -> torch.Tensor:
        """Return the proxies' product: a product of it with itself is the same."""
        return self.product(experts.proxies)

    def __repr__(self) -> str:
        return f"ProductOfExperts(gamma={self.gamma}, proxies={dict(self.proxies)})"
