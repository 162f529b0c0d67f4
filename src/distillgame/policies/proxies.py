"""Several proxies at once: their names and weights, and what they say together.

The student is unknown, so a defense against one stand-in for it may miss another: with proxies of several sizes and
architectures all of them are defended against (cross-model adversarial decoding).
"""

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal

import torch

from distillgame.errors import DistillgameError

DEFAULT_PROXIES: Mapping[str, float] = MappingProxyType({"proxy": 1.0})
"""The proxy that a game names, alone."""

Combination = Literal["mean", "worst"]
"""How the values of several proxies make one: their weighted mean, or the largest of them."""


def as_proxies(policy: str, given: Any) -> Mapping[str, float]:
    """Names and weights, from a mapping, or from names alone for equal weights.

    Raises:
        DistillgameError: If there are none, a name is listed twice, or a weight is not a positive number.
    """
    if isinstance(given, Mapping):
        named = dict(given)
    elif isinstance(given, Sequence) and not isinstance(given, str) and len(set(map(str, given))) == len(given):
        named = dict.fromkeys(given, 1.0)
    else:
        raise DistillgameError(f"policy '{policy}': proxies must be a list of names or names with weights ({given!r})")
    if not named or not all(isinstance(name, str) for name in named):
        raise DistillgameError(f"policy '{policy}': proxies must name at least one proxy (found {given!r})")
    for name, weight in named.items():
        is_number = isinstance(weight, int | float) and not isinstance(weight, bool)
        if not is_number or not 0 < weight < math.inf:
            raise DistillgameError(f"policy '{policy}': the weight of '{name}' must be above 0 (found {weight!r})")
    return MappingProxyType({name: float(weight) for name, weight in named.items()})


def as_combination(policy: str, given: Any) -> Combination:
    """``mean`` or ``worst``.

    Raises:
        DistillgameError: If it is neither.
    """
    if given not in ("mean", "worst"):
        raise DistillgameError(f"policy '{policy}': combine must be 'mean' or 'worst' (found {given!r})")
    return "worst" if given == "worst" else "mean"


def normalised(proxies: Mapping[str, float]) -> tuple[float, ...]:
    """Weights that sum to one, in order."""
    most = max(proxies.values())
    total = sum(weight / most for weight in proxies.values())
    return tuple(weight / most / total for weight in proxies.values())


def weighted_mean(tensors: Sequence[torch.Tensor], weights: Sequence[float]) -> torch.Tensor:
    """The weighted mean of tensors of one shape, or the only one itself."""
    if len(tensors) == 1:
        return tensors[0]
    result = tensors[0] * weights[0]
    for tensor, weight in zip(tensors[1:], weights[1:], strict=True):
        result.add_(tensor, alpha=weight)
    return result


def combined(
    values: Sequence[torch.Tensor], weights: Sequence[float], how: Combination, strength: float
) -> torch.Tensor:
    """What tokens are worth to several students, from their worth to each, shape (B, V).

    Args:
        values: The value v of each token for each proxy, shape (B, V) each.
        weights: The proxies' weights, which sum to one.
        how: ``mean`` weighs them. ``worst`` takes the largest of v + log(weight / largest weight) / strength, so that
            exp(strength·v) counts in proportion to the weight: equal weights change nothing, one near zero does not
            count.
        strength: What values are multiplied by where they tilt a log-probability, above 0.
    """
    if how == "mean" or len(values) == 1:
        return weighted_mean(values, weights)
    discounts = [math.log(weight / max(weights)) / strength if weight else -math.inf for weight in weights]
    worst = values[0] + discounts[0]
    for value, discount in zip(values[1:], discounts[1:], strict=True):
        torch.maximum(worst, value + discount, out=worst)
    return worst
