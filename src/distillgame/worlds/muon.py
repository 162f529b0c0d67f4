"""Muon in float32.

``torch.optim.Muon`` orthogonalises in bfloat16, which a CPU without bfloat16 instructions emulates: on one with AVX2
its step for the embedded teacher took 1.1 s, two thirds of the training, where this one takes .05 s.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch.optim import Optimizer

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""The quintic Newton-Schulz iteration of Jordan et al. 2024, "Muon": steep at zero, so that few steps suffice."""

STEPS = 5


class Muon(Optimizer):
    """Nesterov momentum whose update of each matrix is made orthogonal (Jordan et al. 2024).

    Args:
        parameters: Matrices, shape (rows, columns).
        lr: Learning rate; a matrix with more rows than columns gets it times the root of their ratio.
        momentum: Weight of earlier gradients.
    """

    def __init__(self, parameters: Iterable[torch.nn.Parameter], lr: float, momentum: float = 0.95):
        super().__init__(parameters, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Update all matrices that have a gradient."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                buffer = self.state[parameter].setdefault("momentum", torch.zeros_like(parameter))
                buffer.lerp_(parameter.grad, 1 - group["momentum"])
                update = orthogonal(parameter.grad.lerp(buffer, group["momentum"]))
                rows, columns = parameter.shape
                parameter.add_(update, alpha=-group["lr"] * max(1.0, rows / columns) ** 0.5)


def orthogonal(matrix: torch.Tensor) -> torch.Tensor:
    """Return a matrix with nearly the same singular vectors and singular values near 1 (.7 to 1.2), same shape."""
    a, b, c = COEFFICIENTS
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    x: torch.Tensor = wide / wide.norm().clamp(min=1e-7)
    for _ in range(STEPS):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x if wide is matrix else x.T
