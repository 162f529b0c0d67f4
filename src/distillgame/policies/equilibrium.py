"""Equilibrium policies: the teacher that anticipates the adaptive student, token by token (docs/game.md)."""

from abc import abstractmethod
from dataclasses import dataclass

import torch

from distillgame.policies.anticipation import anticipated
from distillgame.policies.base import Experts, Knob, ReleasePolicy, policies, require_range
from distillgame.policies.proxies import DEFAULT_PROXIES, Combination, Proxies, combined, require_proxies


@dataclass(frozen=True)
class _Equilibrium(ReleasePolicy):
    """pi_rel ∝ pi_ref · exp(-kappa · exp(eta·v)/Z), Z = E exp(eta·v) under pi_rel, where both are *after* temperature.

    eta and kappa are per unit of log-probability after temperature. As eta goes to 0 with kappa·eta held, this is the
    teacher that expects a passive student: PoE or ADS.

    Args:
        eta: The tilt of the student that is expected.
        kappa: The teacher's own tilt.
        proxies: Names of the proxies, or names with weights.
        combine: How a token's values for several students are combined: the weighted ``mean``, or the ``worst`` case.
    """

    eta: float
    kappa: float
    proxies: Proxies = DEFAULT_PROXIES
    combine: Combination = "mean"
    knob = Knob("kappa", first=0.3)

    def __post_init__(self) -> None:
        require_range(self.name, "eta", self.eta, 0)
        require_range(self.name, "kappa", self.kappa, 0)
        require_proxies(self.name, self.proxies)

    def is_neutral(self, temperature: float) -> bool:
        """Return whether eta or kappa is 0."""
        return self.eta == 0 or self.kappa == 0

    @abstractmethod
    def _values(self, experts: Experts, log_ref: torch.Tensor, scale: float) -> list[torch.Tensor]:
        """Return the value of each token for each proxy, shape (B, V) each."""

    def logits(self, experts: Experts) -> torch.Tensor:
        """Return the anticipating teacher's logits."""
        if self.is_neutral(experts.temperature):
            return experts.teacher
        # Greedy decoding has no temperature to work at: the tilt is the one at temperature 1.
        scale = experts.temperature or 1.0
        log_ref = torch.log_softmax(experts.teacher / scale, -1)
        values = combined(self._values(experts, log_ref, scale), self.weights, self.combine, self.kappa * self.eta)
        return anticipated(log_ref, values, self.eta, self.kappa) * scale


@policies.register("equilibrium_gap")
@dataclass(frozen=True)
class EquilibriumGap(_Equilibrium):
    """The equilibrium policy with v_gap = log pi_ref - log pi_stu: forward passes only, like PoE."""

    name = "equilibrium_gap"
    needs_proxy = True

    def _values(self, experts: Experts, log_ref: torch.Tensor, scale: float) -> list[torch.Tensor]:
        return [log_ref - torch.log_softmax(proxy / scale, -1) for proxy in experts.proxies]

    def draft(self, experts: Experts) -> torch.Tensor:
        """Return the proxies' product: if it were the teacher too, every token would have value 0."""
        return self.product(experts.proxies)


@policies.register("equilibrium_grad")
@dataclass(frozen=True)
class EquilibriumGrad(_Equilibrium):
    """The equilibrium policy with v_grad: the anticipating twin of ADS."""

    name = "equilibrium_grad"
    needs_delta = True

    def _values(self, experts: Experts, log_ref: torch.Tensor, scale: float) -> list[torch.Tensor]:
        return [-delta for delta in experts.deltas]
