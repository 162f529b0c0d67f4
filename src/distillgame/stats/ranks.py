"""Rank correlations with their intervals."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import atanh, sqrt, tanh

NORMAL = 1.96
"""Half the width of a 95% interval, in standard errors."""

RANKS = 1.03
"""Standard error of Fisher's z of rank correlations, times the root of n - 3 (Fieller, Hartley and Pearson, 1957)."""

FEWEST = 10
"""Pairs below which there is no interval to speak of."""


@dataclass(frozen=True)
class RankCorrelation:
    """Spearman's rank correlation.

    Attributes:
        value: The correlation.
        low: Lower end of its 95% interval.
        high: Upper end.
        pairs: Number of pairs.
    """

    value: float
    low: float
    high: float
    pairs: int


def rank_correlation(pairs: Sequence[tuple[float, float]]) -> RankCorrelation | None:
    """Return the rank correlation of pairs; None if there are fewer than ten or one side does not vary."""
    from scipy.stats import spearmanr

    first, second = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    if len(pairs) < FEWEST or len(set(first)) < 2 or len(set(second)) < 2:
        return None
    found = float(spearmanr(first, second).statistic)
    z = atanh(min(max(found, -1 + 1e-12), 1 - 1e-12))
    error = RANKS / sqrt(len(pairs) - 3)
    return RankCorrelation(found, tanh(z - NORMAL * error), tanh(z + NORMAL * error), len(pairs))
