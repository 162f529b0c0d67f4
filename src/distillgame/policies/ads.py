"""Antidistillation sampling (ADS) and permutation sampling, its control."""

from collections.abc import Mapping, Sequence

import torch

from distillgame.policies.base import Experts, Knob, ReleasePolicy, policies, require_range
from distillgame.policies.proxies import Combination, as_combination, as_proxies, combined


class _GradientTilt(ReleasePolicy):
    """log pi_ref + lambda·delta, where the log-probabilities are those *after* temperature.

    The strength is per unit of log-probability after temperature: at temperature tau the logits before it move by
    tau·lambda·delta. Published code has it both ways (a factor tau apart); this is the equation's. In the limit of
    greedy decoding the tilt vanishes.

    Args:
        proxies: Names of the proxies, or names with weights.
        combine: What several proxies' deltas make: their weighted ``mean``, or the ``worst`` case, in which a token is
            worth what it is worth to the student that gains the most from it.
        strength: ``lambda``, the tilt.
    """

    needs_delta = True
    knob = Knob("lambda")

    def __init__(
        self,
        proxies: Mapping[str, float] | Sequence[str] = ("proxy",),
        combine: Combination = "mean",
        **strength: float,
    ):
        if set(strength) != {"lambda"}:
            raise TypeError(f"takes one strength, 'lambda' (found {', '.join(strength) or 'none'})")
        self.lambda_ = strength["lambda"]
        require_range(self.name, "lambda", self.lambda_, 0)
        self.proxies = as_proxies(self.name, proxies)
        self.combine: Combination = as_combination(self.name, combine)

    @property
    def strength(self) -> Mapping[str, float]:
        """The tilt lambda, per unit of the log-probability's derivative along the unit-norm gradient."""
        return {"lambda": self.lambda_}

    def _tilt(self, experts: Experts, delta: torch.Tensor) -> torch.Tensor:
        if self.lambda_ == 0:
            return experts.teacher
        return torch.add(experts.teacher, delta, alpha=experts.temperature * self.lambda_)

    def _delta(self, experts: Experts) -> torch.Tensor:
        if len(experts.deltas) == 1 or self.lambda_ == 0:
            return experts.deltas[0]
        return -combined([-delta for delta in experts.deltas], self.weights, self.combine, self.lambda_)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(lambda={self.lambda_}, proxies={dict(self.proxies)}, combine={self.combine!r})"


@policies.register("ads")
class AntidistillationSampling(_GradientTilt):
    """The teacher's best response to the value v_grad, token by token (delta = -v_grad of the token)."""

    name = "ads"

    def logits(self, experts: Experts) -> torch.Tensor:
        """Return the teacher's logits, raised for tokens that raise the student's loss."""
        return self._tilt(experts, self._delta(experts))


@policies.register("permutation")
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
