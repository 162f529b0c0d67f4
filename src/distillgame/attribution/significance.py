"""P-values for any number of contexts: unused keys where they suffice, an exact bound beyond.

Both rest on positions that do not depend on the tested key (:mod:`distillgame.attribution.positions` says when).

Let T be the statistic of the owner's key and T_1, ..., T_N those of keys that were never used. If the suspect knows
nothing of the owner's key, all are exchangeable, so (1 + number of T_i >= T) / (N + 1) is a p-value, never below 1 /
(N + 1). Chernoff's bound, min over t > 0 of exp(K(t) - t·T) with the exact cumulant function K, is a p-value, too,
and reaches any size. A share of the error goes to each: p = min(unused keys / 0.9, bound / 0.1).
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import minimize_scalar

from distillgame.attribution.statistics import Statistic
from distillgame.policies.seeds import context_seed, mixed, owner_key

UNUSED_KEYS = 999
"""Number of keys that were never used."""

BOUND_SHARE = 0.1
"""The bound's share of the probability of a false alarm."""

UNUSED = owner_key(b"never used by anybody", "", 0)
"""The key from which the seeds of unused keys follow; anyone can compute them."""


@dataclass(frozen=True)
class Significance:
    """The significance of a key.

    Attributes:
        p_value: The probability of a statistic at least as large, or more, if the suspect knows nothing of the key.
        z: The statistic over its standard deviation under such keys.
        unused: The p-value by unused keys alone.
        bound: Chernoff's bound.
    """

    p_value: float
    z: float
    unused: float
    bound: float


class Nulls:
    """The statistics of keys that were never used.

    Args:
        statistic: The statistic.
        count: Number of keys.
    """

    def __init__(self, statistic: Statistic, count: int = UNUSED_KEYS):
        self.statistic = statistic
        base = torch.tensor([context_seed(UNUSED, context) for context in statistic.contexts], dtype=torch.int64)
        self.values = np.sort([self._value(base, number) for number in range(count)])

    def significance(self, value: float) -> Significance:
        """Return the significance of a key's statistic."""
        count = len(self.values)
        above = count - int(np.searchsorted(self.values, value - 1e-9, side="left"))
        unused, bound = (1 + above) / (1 + count), chernoff(self.statistic, value)
        deviation = self.statistic.deviation
        p_value = min(1.0, unused / (1 - BOUND_SHARE), bound / BOUND_SHARE)
        return Significance(p_value, value / deviation if deviation else 0.0, unused, bound)

    def _value(self, base: torch.Tensor, number: int) -> float:
        salts = self.statistic.salts
        # A generator's outputs serve as seeds as well as hashes do, and take seconds instead of minutes.
        return self.statistic.of_seeds(mixed(base, torch.arange(number * salts, (number + 1) * salts)).T)


def chernoff(statistic: Statistic, value: float) -> float:
    """Return an upper bound on the probability of a statistic of at least ``value``.

    Args:
        statistic: The statistic, which knows its exact cumulant function.
        value: The value; up to 0, its mean, the bound is 1.
    """
    deviation = statistic.deviation
    if value <= 0 or deviation == 0:
        return 1.0
    most = 100 * value / deviation**2

    def exponent(tilt: float) -> float:
        return statistic.cumulant(tilt) - tilt * value

    # The exponent is convex in the tilt, so that any tilt gives a bound and the best is found from both sides.
    found = minimize_scalar(exponent, bounds=(0.0, most), method="bounded", options={"xatol": 1e-6 * most})
    return math.exp(min(0.0, float(found.fun)))
