"""Antidistillation sampling (ADS) and permutation sampling, its control."""

from collections.abc import Mapping

import torch

from distillgame.policies.base import Experts, ReleasePolicy, policies, require_range


class _GradientTilt(ReleasePolicy):
    """log pi_ref + lambda·delta, where the log-probabilities are those *after* temperature.

    The strength is per unit of log-probability after temperature: at temperature tau the logits before it move by
    tau·lambda·delta. Published code has it both ways (a factor tau apart); this is the equation's. In the limit of
    greedy decoding the tilt vanishes.
    """

    needs_delta = True

    def __init__(self, **strength: float):
        if set(strength) != {"lambda"}:
            raise TypeError(f"takes one parameter, 'lambda' (found {', '.join(strength) or 'none'})")
        self.lambda_ = strength["lambda"]
        require_range(self.name, "lambda", self.lambda_, 0)

    @property
    def strength(self) -> Mapping[str, float]:
        """The tilt lambda, per unit of the log-probability's derivative along the unit-norm gradient."""
        return {"lambda": self.lambda_}

    def _tilt(self, experts: Experts, delta: torch.Tensor) -> torch.Tensor:
        return torch.add(experts.teacher, delta, alpha=experts.temperature * self.lambda_)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(lambda={self.lambda_})"


@policies.register("ads")
class AntidistillationSampling(_GradientTilt):
    """The teacher's best response to the value v_grad, token by token (delta = -v_grad of the token)."""

    name = "ads"

    def logits(self, experts: Experts) -> torch.Tensor:
        """Return the teacher's logits, raised for tokens that raise the student's loss."""
        assert experts.delta is not None
        return self._tilt(experts, experts.delta)


@policies.register("permutation")
class PermutationSampling(_GradientTilt):
    """ADS with its delta permuted over the vocabulary and sign-flipped: noise of the same sizes, without direction.

    Permutation and signs are drawn afresh for each sequence and position from the keys in :class:`Experts`.
    """

    name = "permutation"
    control = True

    def logits(self, experts: Experts) -> torch.Tensor:
        """Return the teacher's logits plus permuted, randomly signed deltas."""
        delta = experts.delta
        assert delta is not None
        generator = torch.Generator()
        rows = []
        for row, key in zip(delta, experts.keys, strict=True):
            generator.manual_seed(key)
            order = torch.randperm(row.shape[0], generator=generator)
            signs = torch.randint(0, 2, row.shape, generator=generator).mul_(2).sub_(1)
            rows.append(row[order.to(row.device)] * signs.to(row))
        return self._tilt(experts, torch.stack(rows))
