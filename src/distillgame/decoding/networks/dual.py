"""Typed wrappers of PyTorch's dual numbers (forward-mode differentiation)."""

import torch
from torch.autograd import forward_ad


def unpack_dual(dual: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the primal part and the tangent of a dual number."""
    primal, tangent = forward_ad.unpack_dual(dual)  # type: ignore[no-untyped-call]
    return primal, tangent


def make_dual(primal: torch.Tensor, tangent: torch.Tensor) -> torch.Tensor:
    """Return a dual number at the current forward-mode level."""
    dual: torch.Tensor = forward_ad.make_dual(primal, tangent)  # type: ignore[no-untyped-call]
    return dual
