"""Confidence intervals and paired tests of accuracies measured on the same problems with several seeds."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from distillgame.stats.errors import components

LEVEL = 0.95
"""Coverage of every interval."""

MOST = 20.0
"""A log ratio beyond which a relative gain is not reported: nobody knows anything then."""

RESAMPLES = 2000
"""Bootstrap resamples of the problems of a single seed."""


@dataclass(frozen=True)
class Estimated:
    """A mean with its uncertainty.

    Attributes:
        value: The mean.
        standard_error: As :func:`distillgame.stats.standard_error`.
        low: Lower end of the 95% interval.
        high: Its upper end.
        p_value: Two-sided, of a mean of zero.
    """

    value: float
    standard_error: float
    low: float
    high: float
    p_value: float


def estimate(outcomes: ArrayLike) -> Estimated:
    """The mean of a table of outcomes, or of paired differences of outcomes, with a 95% interval.

    With several seeds it is a t-interval whose degrees of freedom are Satterthwaite's for the sum of a variance over
    seeds (S - 1 degrees) and one over problems (P - 1): with three seeds and no effect of the problems it is the usual
    t-interval over three seeds, and a bootstrap over so few would be too narrow. With two seeds it is too narrow, too.
    With one seed it is a percentile bootstrap over problems, and the p-value a t-test's over problems.

    Args:
        outcomes: Shape (S, P): seeds by problems, all seeds on the same problems.

    Raises:
        ValueError: If there are fewer than two problems.
    """
    from scipy.special import stdtr, stdtrit

    table = np.atleast_2d(np.asarray(outcomes, dtype=float))
    value = float(table.mean())
    over_problems, over_seeds = components(table)
    error = float(np.sqrt(over_problems + over_seeds))
    seeds, problems = table.shape
    if error == 0:
        return _constant(value, problems)
    spread = over_problems**2 / (problems - 1)
    if seeds > 1:
        # Not the part that is left of it once the problems' share is taken off: where that is nothing by chance, three
        # seeds would count as many.
        spread += (float(table.mean(1).var(ddof=1)) / seeds) ** 2 / (seeds - 1)
    # Never fewer than the smaller sample has on its own.
    least = min(problems, seeds if seeds > 1 else problems) - 1
    freedom = max((over_problems + over_seeds) ** 2 / spread, least)
    p_value = float(2 * stdtr(freedom, -abs(value) / error))
    if seeds == 1:
        low, high = _bootstrap(table[0])
    else:
        reach = float(stdtrit(freedom, (1 + LEVEL) / 2)) * error
        low, high = value - reach, value + reach
    return Estimated(value, error, low, high, p_value)


def relative_gain(first: ArrayLike, second: ArrayLike) -> tuple[float, float, float] | None:
    """The ratio of two accuracies less one, with its 95% interval (delta method on the log ratio).

    Args:
        first: Outcomes of the first, shape (S, P).
        second: Outcomes of the second on the same problems and seeds.

    Returns:
        Value, low and high; None where either accuracy is zero, or the interval is too wide to say anything.
    """
    ours, theirs = (np.atleast_2d(np.asarray(x, dtype=float)) for x in (first, second))
    if ours.mean() == 0 or theirs.mean() == 0:
        return None
    ratio = float(np.log(ours.mean() / theirs.mean()))
    found = estimate(ours / ours.mean() - theirs / theirs.mean() + ratio)
    if found.high > MOST:
        return None
    return float(np.expm1(ratio)), float(np.expm1(found.low)), float(np.expm1(found.high))


def holm(p_values: ArrayLike) -> list[float]:
    """Correct p-values for their number (Holm, 1979), in their order."""
    values = np.asarray(p_values, dtype=float)
    order = np.argsort(values, kind="stable")
    factors = np.arange(len(values), 0, -1)
    corrected = np.empty_like(values)
    corrected[order] = np.minimum(np.maximum.accumulate(values[order] * factors), 1.0)
    return [float(value) for value in corrected]


def _constant(value: float, problems: int) -> Estimated:
    """Where every outcome is the same: as far as so many problems can tell (Clopper and Pearson; a sign test)."""
    reach = 1 - ((1 - LEVEL) / 2) ** (1 / problems)
    return Estimated(value, 0.0, value - reach, value + reach, 1.0 if value == 0 else 2 * 0.5**problems)


def _bootstrap(problems: np.ndarray) -> tuple[float, float]:
    rng = np.random.default_rng(0)
    places = rng.integers(len(problems), size=(RESAMPLES, len(problems)))
    low, high = np.quantile(problems[places].mean(1), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
