"""Equilibrium policies: the teacher that has anticipated the adaptive student, token by token."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence

import torch

from distillgame.policies.anticipation import anticipated
from distillgame.policies.base import Experts, Knob, ReleasePolicy, policies, require_range
from distillgame.policies.proxies import Combination, as_combination, as_proxies, combined


class _Equilibrium(ReleasePolicy):
    """pi_rel ∝ pi_ref · exp(-kappa · exp(eta·v)/Z), Z = E exp(eta·v) under pi_rel, where both are *after* temperature.

    Both strengths are per unit of log-probability after temperature. As eta goes to 0 with kappa·eta held, this is the
    teacher that expects a passive student: PoE or ADS.

    Args:
        eta: The tilt of the student that is expected.
        kappa: The teacher's own tilt.
        proxies: Names of the proxies, or names with weights.
        combine: What a token is worth to several students: the weighted ``mean``, or the ``worst`` case.
    """

    knob = Knob("kappa", first=0.3)

    def __init__(
        self,
        eta: float,
        kappa: float,
        proxies: Mapping[str, float] | Sequence[str] = ("proxy",),
        combine: Combination = "mean",
    ):
        require_range(self.name, "eta", eta, 0)
        require_range(self.name, "kappa", kappa, 0)
        self.eta, self.kappa = eta, kappa
        self.proxies = as_proxies(self.name, proxies)
        self.combine: Combination = as_combination(self.name, combine)

    @property
    def strength(self) -> Mapping[str, float]:
        """The student's expected tilt eta, and the teacher's tilt kappa."""
        return {"eta": self.eta, "kappa": self.kappa}

    @abstractmethod
    def _values(self, experts: Experts, log_ref: torch.Tensor, scale: float) -> list[torch.Tensor]:
        """What tokens are worth to each proxy, shape (B, V) each."""

    def logits(self, experts: Experts) -> torch.Tensor:
        """Return the anticipating teacher's logits."""
        if self.eta == 0 or self.kappa == 0:
            return experts.teacher
        # Greedy decoding has no temperature to work at: the tilt is the one at temperature 1.
        scale = experts.temperature or 1.0
        log_ref = torch.log_softmax(experts.teacher / scale, -1)
        values = combined(self._values(experts, log_ref, scale), self.weights, self.combine, self.kappa * self.eta)
        return anticipated(log_ref, values, self.eta, self.kappa) * scale

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(eta={self.eta}, kappa={self.kappa}, proxies={dict(self.proxies)}, "
            f"combine={self.combine!r})"
        )


@policies.register("equilibrium_gap")
class EquilibriumGap(_Equilibrium):
    """The equilibrium policy with v_gap = log pi_ref - log pi_stu: forward passes only, like PoE."""

    name = "equilibrium_gap"
    needs_proxy = True

    def _values(self, experts: Experts, log_ref: torch.Tensor, scale: float) -> list[torch.Tensor]:
        return [log_ref - torch.log_softmax(proxy / scale, -1) for proxy in experts.proxies]

    def draft(self, experts: Experts) -> torch.Tensor:
        """Return the proxies' product, to which nothing is worth anything if it is the teacher too."""
        return self.product(experts.proxies)


@policies.register("equilibrium_grad")
class EquilibriumGrad(_Equilibrium):
    """The equilibrium policy with v_grad: the anticipating twin of ADS."""

    name = "equilibrium_grad"
    needs_delta = True

    def _values(self, experts: Experts, log_ref: torch.Tensor, scale: float) -> list[torch.Tensor]:
        return [-delta for delta in experts.deltas]
