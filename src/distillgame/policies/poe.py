"""Product-of-Experts: the teacher's best response to the value v_gap (The Distillation Game, section on PoE)."""

from dataclasses import dataclass

import torch

from distillgame.policies.base import Experts, Knob, ReleasePolicy, policies, require_range
from distillgame.policies.proxies import DEFAULT_PROXIES, Proxies, require_proxies


@policies.register("poe")
@dataclass(frozen=True)
class ProductOfExperts(ReleasePolicy):
    """pi_rel ∝ pi_ref^(1-gamma) · pi_stu^gamma, token by token; pi_stu is the weighted product of all proxies.

    gamma does not depend on the temperature: mixing logits before it or log-probabilities after it is the same.

    Args:
        gamma: The mixing weight: 0 is the teacher, 1 the proxies.
        proxies: Names of the proxies, or names with weights.
    """

    gamma: float
    proxies: Proxies = DEFAULT_PROXIES
    name = "poe"
    needs_proxy = True
    knob = Knob("gamma", most=1.0)

    def __post_init__(self) -> None:
        require_range(self.name, "gamma", self.gamma, 0, 1)
        require_proxies(self.name, self.proxies)

    def is_neutral(self, temperature: float) -> bool:
        """Return whether gamma is 0."""
        return self.gamma == 0

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
