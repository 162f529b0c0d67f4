"""The value v_grad: how much a training example would lower an objective (The Distillation Game, value functions).

v_grad(x, y) = -<g, grad log pi(y|x)> with g = grad L(theta) / |grad L(theta)| and log pi the mean over the tokens of y.
It is minus the derivative of log pi(y|x; theta + t·g) at t = 0, so no per-example gradient is ever formed.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch.func import jvp

from distillgame.errors import DistillgameError
from distillgame.values.likelihood import Batch, mean_logprob

Direction = dict[str, torch.Tensor]
"""A direction in the space of the trainable parameters, by name, float32."""


def trainable(model: Any) -> dict[str, torch.nn.Parameter]:
    """Return the trainable parameters by name."""
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def objective_gradient(model: Any, batches: Sequence[Batch]) -> Direction:
    """Return the unit-norm gradient g of L, the mean over examples of the mean negative log-likelihood per token.

    Args:
        model: A causal language model; its ``.grad`` fields are not changed.
        batches: The objective's examples; a batch's weight is its number of examples.

    Raises:
        DistillgameError: If the gradient is zero or not finite.
    """
    parameters = trainable(model)
    count = sum(len(batch["input_ids"]) for batch in batches)
    total = {name: torch.zeros_like(p, dtype=torch.float32) for name, p in parameters.items()}
    for batch in batches:
        loss = -mean_logprob(model, batch).sum() / count
        gradients = torch.autograd.grad(loss, list(parameters.values()), allow_unused=True)
        for name, gradient in zip(parameters, gradients, strict=True):
            if gradient is not None:
                total[name] += gradient.float()
    norm = torch.sqrt(sum((g.square().sum() for g in total.values()), torch.zeros(())))
    if not torch.isfinite(norm) or norm == 0:
        raise DistillgameError(f"the objective's gradient has norm {norm.item()}: the values would mean nothing")
    return {name: g / norm for name, g in total.items()}


def moved(model: Any, direction: Mapping[str, torch.Tensor], step: float) -> dict[str, torch.Tensor]:
    """Return the parameters at theta + step·direction, by name; the model itself is not changed."""
    parameters = trainable(model)
    return {
        name: torch.add(parameters[name].detach(), d.to(parameters[name]), alpha=step) for name, d in direction.items()
    }


@torch.no_grad()
def v_grad_difference(
    model: Any,
    batch: Batch,
    direction: Mapping[str, torch.Tensor],
    step: float,
    at_theta: torch.Tensor | None = None,
) -> torch.Tensor:
    """Return v_grad of each example by finite differences, shape (B,).

    Args:
        model: A causal language model with float32 parameters.
        batch: The examples to value.
        direction: The unit-norm gradient g.
        step: Step t along g.
        at_theta: The examples' mean log-likelihoods at theta, shape (B,), if a training step has them already: then a
            one-sided difference costs one forward pass; otherwise a central difference costs two.
    """
    backward = mean_logprob(model, batch, moved(model, direction, -step))
    if at_theta is not None:
        return (backward - at_theta) / step
    return (backward - mean_logprob(model, batch, moved(model, direction, step))) / (2 * step)


def v_grad_jvp(model: Any, batch: Batch, direction: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """Return v_grad of each example by one forward-mode pass, exact up to rounding, shape (B,).

    The model needs an attention with forward-mode derivatives (``attn_implementation="eager"``).
    """
    parameters = {name: parameter.detach() for name, parameter in trainable(model).items() if name in direction}
    tangents = {name: direction[name].to(parameter) for name, parameter in parameters.items()}
    derivative: torch.Tensor = jvp(lambda p: mean_logprob(model, batch, p), (parameters,), (tangents,))[1]
    return -derivative
