"""P-values far below a thousandth from a thousand draws of what unused keys would choose.

They rest on positions that do not depend on the tested key (:mod:`distillgame.attribution.positions` says when).

Let x be the statistic of the owner's key. If the suspect knows nothing of the key, x follows the null law P, of which
the cumulant function K is known exactly. Let T_1, ..., T_N be drawn from Q, a mixture of laws P_t with densities
exp(t·T - K(t)) over P, t = 0 included, and w = dP/dQ = 1 / mean over t of exp(t·T - K(t)). Then

    p = (w(x) + sum of w(T_i) over T_i >= x) / (N + 1)

is a p-value: P(p <= a) <= a for every a and N (Harrison, "Conservative hypothesis tests and confidence intervals using
importance sampling", Biometrika 99, 2012). With t = 0 alone it would be the rank among N unused keys, never below
1 / (N + 1). The tilted laws reach as far as their tilts do: over sets of 999 draws a p-value scatters by a
tenth at 1e-3 and by a fifth at 1e-15. Beyond about 11 standard deviations it is valid, and too large.
"""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.special import logsumexp

from distillgame.attribution.statistics import Statistic
from distillgame.policies.seeds import context_seed, owner_key, uniform_numbers

UNUSED_KEYS = 999
"""Number of draws of the null."""

TILTS = (0.0, 2.0, 4.0, 6.0, 8.0)
"""Where the mixture's laws have their means, in standard deviations under P, if the statistic is about normal."""

UNUSED = owner_key(b"never used by anybody", "", 0)
"""The key from which the draws follow; anyone can compute them."""


@dataclass(frozen=True)
class Significance:
    """The significance of a key.

    Attributes:
        p_value: The probability of a statistic at least as large, if the suspect knows nothing of the key.
        z: The statistic over its standard deviation under such keys.
    """

    p_value: float
    z: float


class Nulls:
    """The statistics of keys that were never used, and of tilted ones.

    Args:
        statistic: The statistic.
        count: Number of draws.
    """

    def __init__(self, statistic: Statistic, count: int = UNUSED_KEYS):
        self.statistic = statistic
        self._tilts = [tilt / statistic.deviation for tilt in TILTS] if statistic.deviation else [0.0]
        self._cumulants = np.array([statistic.cumulant(tilt) for tilt in self._tilts])
        values = self._draws(count)
        order = np.argsort(values)
        self.values = values[order]
        self._above = np.append(np.cumsum(self._weights(self.values)[::-1])[::-1], 0.0)

    def significance(self, value: float) -> Significance:
        """Return the significance of a key's statistic."""
        deviation = self.statistic.deviation
        first = int(np.searchsorted(self.values, value - 1e-9 * deviation, side="left"))
        weight = float(self._weights(np.array([value]))[0])
        p_value = min(1.0, (weight + float(self._above[first])) / (1 + len(self.values)))
        return Significance(p_value, value / deviation if deviation else 0.0)

    def _draws(self, count: int) -> np.ndarray:
        """Return statistics from the mixture, shape (count,)."""
        lot = uniform_numbers(torch.tensor([context_seed(UNUSED, ())]), torch.arange(count))[0]
        drawn = (lot * len(self._tilts)).long()
        values = np.zeros(count)
        for place, tilt in enumerate(self._tilts):
            chosen = (drawn == place).nonzero().squeeze(-1)
            values[chosen.numpy()] = self.statistic.draws(UNUSED, chosen, tilt)
        return values

    def _weights(self, values: np.ndarray) -> np.ndarray:
        """Return dP/dQ at statistics, shape (N,)."""
        exponents = np.outer(values, self._tilts) - self._cumulants
        return np.asarray(np.exp(np.log(len(self._tilts)) - logsumexp(exponents, axis=-1)))
