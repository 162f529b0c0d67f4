"""Intervals of accuracies, on a scale that they cannot leave."""

import numpy as np
from numpy.typing import ArrayLike

from distillgame.stats.intervals import LEVEL, variances

FLOOR = 0.5
"""Shortest interval, relative to the one over problems alone: few seeds may agree by chance."""

FEW = 2.0
"""Factor on the seeds' share of Satterthwaite's sum, whose degrees of freedom are too many where seeds are few."""


def accuracy_interval(outcomes: ArrayLike) -> tuple[float, float]:
    """Return the 95% interval of an accuracy, within [0, 1].

    It is symmetric in log-odds: logit(mean) ± t·error/(mean·(1 - mean)), where the error is the delta method's. Unlike
    in :func:`distillgame.stats.estimate`, which has to keep the level of tests, the variance is the unbiased
    var(row means)/S + var(column means)/P - var(residuals)/(S·P) without a floor on its parts, because a floor makes
    three seeds that differ by no more than chance cover 98%. Its degrees of freedom are Satterthwaite's, with the
    seeds' share doubled (:data:`FEW`), and the reach is at least :data:`FLOOR` of that over problems alone.

    Where all outcomes are right, or none, the interval is Clopper's and Pearson's for one seed: seeds that agree
    everywhere count as one.

    Args:
        outcomes: 0 or 1, shape (S, P): seeds by problems, all seeds on the same problems.

    Raises:
        ValueError: If there are fewer than two problems.
    """
    low, high = accuracy_intervals(np.atleast_2d(np.asarray(outcomes, dtype=float))[None])
    return float(low[0]), float(high[0])


def accuracy_intervals(tables: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the interval of each of many tables: lower and upper ends, shape (N,) each, of ``tables`` (N, S, P)."""
    from scipy.special import expit, logit, stdtrit

    seeds, problems = tables.shape[1:]
    mean = tables.mean((1, 2))
    inner = (mean > 0) & (mean < 1)
    over_problems, over_seeds, shared = variances(tables)
    beyond = np.maximum(over_problems - shared, 0.0)  # the problems' share beyond the residuals
    variance = np.where(inner, beyond + over_seeds, 1.0)
    least = (seeds if seeds > 1 else problems) - 1
    spread = beyond**2 / (problems - 1) + FEW * over_seeds**2 / max(seeds - 1, 1)
    freedom = np.maximum(variance**2 / np.where(spread > 0, spread, 1.0), least)
    normal = float(stdtrit(problems - 1, (1 + LEVEL) / 2))
    reach = stdtrit(freedom, (1 + LEVEL) / 2) * np.sqrt(variance)
    reach = np.maximum(reach, FLOOR * normal * np.sqrt(over_problems))
    odds = logit(np.where(inner, mean, 0.5))
    width = reach / np.where(inner, mean * (1 - mean), 1.0)
    edge = ((1 - LEVEL) / 2) ** (1 / problems)
    low = np.where(inner, expit(odds - width), np.where(mean == 1, edge, 0.0))
    high = np.where(inner, expit(odds + width), np.where(mean == 0, 1 - edge, 1.0))
    return low, high
