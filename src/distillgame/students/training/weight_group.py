"""The weights of one optimiser step, accumulated over its forward passes."""

import math

import torch


class WeightGroup:
    """The weights of one optimiser step, relative to the largest log-weight seen so far, so that none overflows.

    Args:
        whole_set: Whether weights are absolute; they are then divided by the number of traces.
    """

    def __init__(self, whole_set: bool) -> None:
        self.whole_set = whole_set
        self.peak = -math.inf
        self.total = 0.0
        self.loss = 0.0
        self.passes = 0
        self._log_weights: list[torch.Tensor] = []

    @property
    def started(self) -> bool:
        """True after the first pass."""
        return self.passes > 0

    def add(self, log_weights: torch.Tensor) -> tuple[torch.Tensor, float]:
        """Return the weights of one pass and the factor by which earlier terms shrink."""
        # Weights over the whole set are at most its size: none can overflow, but all of a step may be tiny.
        new_peak = 0.0 if self.whole_set else max(self.peak, float(log_weights.max()))
        rescale = math.exp(self.peak - new_peak) if self.peak > -math.inf else 1.0
        weights = torch.exp(log_weights - new_peak) if new_peak > -math.inf else torch.zeros_like(log_weights)
        self.peak = new_peak
        added = len(weights) if self.whole_set else float(weights.sum())
        self.total = self.total * rescale + added
        self.loss *= rescale
        self.passes += 1
        self._log_weights.append(log_weights)
        return weights, rescale

    def divergence(self) -> float:
        """Return the KL of the weights to uniform, in nats: the rho that this step spent."""
        log_weights = torch.log_softmax(torch.cat(self._log_weights).double(), 0)
        weights = log_weights.exp()
        terms = weights * (log_weights + math.log(len(weights)))
        return float(torch.where(weights > 0, terms, 0.0).sum())

    def effective_share(self) -> float:
        """Return the effective sample size divided by the number of traces."""
        weights = torch.softmax(torch.cat(self._log_weights).double(), 0)
        return 1 / (float(weights.square().sum()) * len(weights))
