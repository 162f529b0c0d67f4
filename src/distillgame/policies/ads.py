"""Antidistillation sampling (ADS) and permutation sampling, its control."""

from dataclasses import dataclass

import torch

from distillgame.policies.base import Experts, Knob, ReleasePolicy, policies, require_range
from distillgame.policies.proxies import DEFAULT_PROXIES, Combination, Proxies, combined, require_proxies


@dataclass(frozen=True)
class _GradientTilt(ReleasePolicy):
    """log pi_ref + lambda·delta, where the log-probabilities are those *after* temperature.

    lambda is per unit of log-probability after temperature: at temperature tau the logits before it move by
    tau·lambda·delta. Published code has it both ways (a factor tau apart); this is the equation's. In the limit of
    greedy decoding the tilt vanishes.

    Args:
        lambda_: The option ``lambda``: the tilt, per unit of the log-probability's derivative along the unit-norm
            gradient.
        proxies: Names of the proxies, or names with weights.
        combine: How several proxies' deltas are combined: their weighted ``mean``, or the ``worst`` case, in which a
            token has the value it has for the student that gains the most from it.
    """

    lambda_: float
    proxies: Proxies = DEFAULT_PROXIES
    combine: Combination = "mean"
    needs_delta = True
    knob = Knob("lambda")

    def __post_init__(self) -> None:
        require_range(self.name, "lambda", self.lambda_, 0)
        require_proxies(self.name, self.proxies)

    def is_neutral(self, temperature: float) -> bool:
        """Return whether lambda is 0."""
        return self.lambda_ == 0

    def _tilt(self, experts: Experts, delta: torch.Tensor) -> torch.Tensor:
        if self.lambda_ == 0:
            return experts.teacher
        return torch.add(experts.teacher, delta, alpha=experts.temperature * self.lambda_)

    def _delta(self, experts: Experts) -> torch.Tensor:
        if len(experts.deltas) == 1 or self.lambda_ == 0:
            return experts.deltas[0]
        return -combined([-delta for delta in experts.deltas], self.weights, self.combine, self.lambda_)


@policies.register("ads")
@dataclass(frozen=True)
class AntidistillationSampling(_GradientTilt):
    """The teacher's best response to the value v_grad, token by token (delta = -v_grad of the token)."""

    name = "ads"

    def logits(self, experts: Experts) -> torch.Tensor:
        """Return the teacher's logits, raised for tokens that raise the student's loss."""
        return self._tilt(experts, self._delta(experts))


@policies.register("permutation")
@dataclass(frozen=True)
class PermutationSampling(_GradientTilt):
    """ADS with its delta permuted over the vocabulary and sign-flipped: noise of the same sizes, without direction.

    Permutation and signs are drawn afresh for each sequence and position from the keys in :class:`Experts`.
    """

    name = "permutation"
    control = True

    def logits(self, experts: Experts) -> torch.Tensor:
        """Return the teacher's logits plus permuted, randomly signed deltas."""
        delta = self._delta(experts)
        generator = torch.Generator()
        rows = []
        for row, key in zip(delta, experts.keys, strict=True):
            generator.manual_seed(key)
            order = torch.randperm(row.shape[0], generator=generator)
            signs = torch.randint(0, 2, row.shape, generator=generator).mul_(2).sub_(1)
            rows.append(row[order.to(row.device)] * signs.to(row))
        return self._tilt(experts, torch.stack(rows))
