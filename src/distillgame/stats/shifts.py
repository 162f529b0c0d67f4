"""Paired shifts of scores between two policies on the same problems."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from distillgame.stats.clusters import Scored, bootstrap
from distillgame.stats.intervals import holm

FLIPS = 9999
"""Random assignments of signs: the smallest p-value is 1 in 10,000."""

PORTION = 500
"""Assignments that are held at once."""


@dataclass(frozen=True)
class Shift:
    """A mean difference of scores between two policies.

    Attributes:
        value: The mean over problems of the difference of mean scores on a problem, each problem counting alike.
        low: Lower end of its 95% interval, a percentile bootstrap over problems.
        high: Its upper end.
        p_value: Two-sided, of no difference, from random signs of the problems' differences.
        corrected: The p-value after Holm's correction for the number of policies compared.
        problems: Number of problems on which both have a score.
    """

    value: float
    low: float
    high: float
    p_value: float
    corrected: float
    problems: int


def paired_shift(scored: Scored, baseline: Scored, seed: int = 0) -> Shift:
    """Return the shift of one judge's scores from a baseline to a policy, on the problems where both have scores.

    The test is valid if, without a difference, a problem's difference is as likely to have either sign: it then rejects
    at level a with a probability of at most a. With few problems it is coarse: five of one sign give .06.

    Args:
        scored: Scores of a policy's items.
        baseline: Those of the other policy's, on the same problems; numbers of items need not agree.
        seed: Seed of resamples and signs.

    Raises:
        ValueError: If they share fewer than two problems.
    """
    differences = _differences(scored, baseline)
    count = len(differences)
    value, low, high = bootstrap(lambda counts: counts @ differences / count, count, seed)
    p_value = _sign_flips(differences, seed)
    return Shift(float(value), float(low), float(high), p_value, p_value, count)


def paired_shifts(policies: Mapping[str, Scored], baseline: Scored, seed: int = 0) -> dict[str, Shift]:
    """Return the :func:`paired_shift` of every policy from one baseline; p-values are corrected for their number.

    Args:
        policies: Scores by policy.
        baseline: Scores of the policy that all are compared with.
        seed: Seed of resamples and signs.

    Raises:
        ValueError: If a policy shares fewer than two problems with the baseline.
    """
    found = {name: paired_shift(scored, baseline, seed) for name, scored in policies.items()}
    corrected = holm([shift.p_value for shift in found.values()])
    return {
        name: replace(shift, corrected=p_value) for (name, shift), p_value in zip(found.items(), corrected, strict=True)
    }


def _differences(scored: Scored, baseline: Scored) -> np.ndarray:
    """Return the differences of mean scores on the problems that both have, in the baseline's order."""
    ours, theirs = _means(scored), _means(baseline)
    return np.array([ours[problem] - mean for problem, mean in theirs.items() if problem in ours])


def _means(scored: Scored) -> dict[object, float]:
    values, places = scored.present()
    kept = scored.places[~np.isnan(scored.table[0])]
    names = list(dict.fromkeys(scored.problems))
    sums, sizes = np.bincount(places, values), np.bincount(places)
    return {names[place]: float(mean) for place, mean in zip(np.unique(kept), sums / np.maximum(sizes, 1), strict=True)}


def _sign_flips(differences: np.ndarray, seed: int) -> float:
    """Return the p-value of a sign-flip test; the observed signs are one of the assignments.

    See Phipson and Smyth, "Permutation p-values should never be zero", 2010.
    """
    rng = np.random.default_rng(seed)
    reached = abs(differences.sum()) * (1 - 1e-9)  # ties count, whatever the order of a sum
    extreme, left = 1, FLIPS
    while left:
        size = min(PORTION, left)
        signs = 2.0 * rng.integers(0, 2, size=(size, len(differences)), dtype=np.int8) - 1
        extreme += int((np.abs(signs @ differences) >= reached).sum())
        left -= size
    return extreme / (FLIPS + 1)
