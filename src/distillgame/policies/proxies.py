"""Several proxies at once: their names, their weights, and how their logits and values are combined.

The student is unknown, so a defense against one stand-in for it may miss another; with proxies of several sizes and
architectures the policy defends against all of them (cross-model adversarial decoding).
"""

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import torch

from distillgame.errors import DistillgameError

Proxies = Mapping[str, float] | Sequence[str]
"""Names of proxies with their weights, or names alone for equal weights."""

DEFAULT_PROXIES: Proxies = ("proxy",)
"""The proxy that a game names, alone."""

Combination = Literal["mean", "worst"]
"""The combination of several proxies' values: their weighted mean, or the largest of them."""


def weights_of(proxies: Proxies) -> dict[str, float]:
    """Return the weight of each proxy by name, not normalised."""
    if isinstance(proxies, Mapping):
        return {name: float(weight) for name, weight in proxies.items()}
    return dict.fromkeys(proxies, 1.0)


def require_proxies(policy: str, given: Proxies) -> None:
    """Check names and weights of a policy's proxies.

    Raises:
        DistillgameError: If there are none, a name is listed twice, or a weight is not a positive number.
    """
    if not isinstance(given, Mapping) and (isinstance(given, str) or len(set(given)) < len(given)):
        raise DistillgameError(f"policy '{policy}': proxies must be a list of names or names with weights ({given!r})")
    if not given:
        raise DistillgameError(f"policy '{policy}': proxies must name at least one proxy (found {given!r})")
    for name, weight in given.items() if isinstance(given, Mapping) else ():
        if not 0 < weight < math.inf:
            raise DistillgameError(f"policy '{policy}': the weight of '{name}' must be above 0 (found {weight!r})")


def normalised(proxies: Mapping[str, float]) -> tuple[float, ...]:
    """Return the weights divided by their sum, in order."""
    most = max(proxies.values())
    total = sum(weight / most for weight in proxies.values())
    return tuple(weight / most / total for weight in proxies.values())


def weighted_mean(tensors: Sequence[torch.Tensor], weights: Sequence[float]) -> torch.Tensor:
    """Return the weighted mean of tensors of one shape; a single tensor is returned as it is, not copied."""
    if len(tensors) == 1:
        return tensors[0]
    result = tensors[0] * weights[0]
    for tensor, weight in zip(tensors[1:], weights[1:], strict=True):
        result.add_(tensor, alpha=weight)
    return result


def combined(values: Sequence[torch.Tensor], weights: Sequence[float], how: Combination, scale: float) -> torch.Tensor:
    """Return the value of each token against several students, shape (B, V).

    Args:
        values: The value v of each token for each proxy, shape (B, V) each.
        weights: The proxies' weights, which sum to one.
        how: ``mean`` weighs them. ``worst`` takes the largest of v + log(weight / largest weight) / scale, so that
            exp(scale·v) counts in proportion to the weight: equal weights change nothing, and a proxy whose weight is
            near zero does not count.
        scale: The factor by which values tilt a log-probability, above 0.
    """
    if how == "mean" or len(values) == 1:
        return weighted_mean(values, weights)
    discounts = [math.log(weight / max(weights)) / scale if weight else -math.inf for weight in weights]
    worst = values[0] + discounts[0]
    for value, discount in zip(values[1:], discounts[1:], strict=True):
        torch.maximum(worst, value + discount, out=worst)
    return worst
