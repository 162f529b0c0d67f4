"""Influence: the value of an example to a student that trains with Adam, and the measured effect it estimates.

One step of Adam on an example with gradient grad moves the parameters by -rate · grad / (sqrt(m) + d), where m is the
second moment of recent gradients. To first order it lowers the objective by rate · <g, grad / (sqrt(m) + d)>: v_grad
along a preconditioned direction. sqrt(m) is Adam's stand-in for the curvature of influence functions (Koh and Liang,
"Understanding Black-box Predictions via Influence Functions"), and d its damping.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch

from distillgame.values.gradient import Direction, trainable
from distillgame.values.likelihood import Batch, mean_logprob

DAMPING = 0.01
"""The damping d, as a share of the root mean square gradient over all parameters."""


def second_moments(model: Any, batches: Sequence[Batch]) -> Direction:
    """Return the mean over batches of the squared gradient of the mean negative log-likelihood, by parameter.

    Args:
        model: A causal language model; its ``.grad`` fields are not changed.
        batches: Minibatches as the trainer would take them; at least one.
    """
    total = {name: torch.zeros_like(p, dtype=torch.float32) for name, p in trainable(model).items()}
    for batch in batches:
        for name, gradient in _gradient(model, batch).items():
            total[name] += gradient.square() / len(batches)
    return total


def preconditioned(direction: Direction, moments: Direction) -> Direction:
    """Return a direction divided by the damped root of the second moments, scaled to unit norm."""
    damping = _damping(moments)
    scaled = {name: d / (moments[name].sqrt() + damping) for name, d in direction.items()}
    norm = sum(float(d.square().sum()) for d in scaled.values()) ** 0.5
    return {name: d / norm for name, d in scaled.items()}


def heldout_drops(
    model: Any, batches: Iterable[Batch], objective: Sequence[Batch], moments: Direction, rate: float
) -> Iterator[float]:
    """Yield by how much one step of Adam on each batch alone lowers the objective, in nats per token.

    Args:
        model: A causal language model; it is not changed.
        batches: What is stepped on, one batch (of one example, say) at a time.
        objective: The objective's examples; a batch's weight is its number of examples.
        moments: From :func:`second_moments`.
        rate: The step's learning rate.
    """
    damping, before = _damping(moments), _loss(model, objective)
    for batch in batches:
        gradient = _gradient(model, batch)
        stepped = {
            name: parameter.detach() - rate * gradient[name] / (moments[name].sqrt() + damping)
            for name, parameter in trainable(model).items()
        }
        yield before - _loss(model, objective, stepped)


def _gradient(model: Any, batch: Batch) -> Direction:
    parameters = trainable(model)
    found = torch.autograd.grad(-mean_logprob(model, batch).mean(), list(parameters.values()), allow_unused=True)
    return {
        name: torch.zeros_like(parameter) if gradient is None else gradient.float()
        for (name, parameter), gradient in zip(parameters.items(), found, strict=True)
    }


@torch.no_grad()
def _loss(model: Any, batches: Sequence[Batch], parameters: Direction | None = None) -> float:
    total = sum(float(-mean_logprob(model, batch, parameters).sum()) for batch in batches)
    return total / sum(len(batch["input_ids"]) for batch in batches)


def _damping(moments: Direction) -> float:
    count = sum(moment.numel() for moment in moments.values())
    return DAMPING * math.sqrt(sum(float(moment.sum()) for moment in moments.values()) / count)
