"""Standard errors, intervals and paired tests of accuracies measured on the same problems with several seeds."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

LEVEL = 0.95
"""Coverage of every interval."""

MOST = 20.0
"""Log ratio beyond which a relative gain is not reported: the interval then says nothing."""

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


def standard_error(outcomes: ArrayLike) -> float:
    """Return the standard error of a table's mean, over problems and, with several seeds, over seeds too.

    Problems and seeds are both samples: another draw of either would have given another accuracy. With outcomes
    y[s, p] = mean + seed effect + problem effect + residual, the variance of the grand mean is estimated by
    var(row means)/S + var(column means)/P - var(residuals)/(S·P), where each of the first two contains the residual
    once (the crossed random-effects model; Owen, "The pigeonhole bootstrap", 2007). With one seed only the
    problems' share can be estimated. The estimate is never below the one over problems alone.

    Args:
        outcomes: Shape (S, P): seeds by problems, all seeds on the same problems.

    Returns:
        The standard error, in the unit of the outcomes.

    Raises:
        ValueError: If there are fewer than two problems.
    """
    return float(np.sqrt(sum(components(np.atleast_2d(np.asarray(outcomes, dtype=float))))))


def components(table: np.ndarray) -> tuple[float, float]:
    """Return the parts of the grand mean's variance due to problems and, beyond those, to seeds (see above)."""
    over_problems, over_seeds, shared = (float(each[0]) for each in variances(table[None]))
    return over_problems, max(0.0, over_seeds - shared)


def variances(tables: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return var(column means)/P, var(row means)/S and var(residuals)/(S·P) of many tables.

    Args:
        tables: Shape (N, S, P).

    Returns:
        Shape (N,) each; with one seed the last two are zero.

    Raises:
        ValueError: If there are fewer than two problems.
    """
    count, seeds, problems = tables.shape
    if problems < 2:
        raise ValueError("a standard error needs at least two problems")
    by_problem, by_seed = tables.mean(1, keepdims=True), tables.mean(2, keepdims=True)
    over_problems = by_problem[:, 0].var(1, ddof=1) / problems
    if seeds == 1:
        return over_problems, np.zeros(count), np.zeros(count)
    over_seeds = by_seed[:, :, 0].var(1, ddof=1) / seeds
    residual = tables - by_problem - by_seed + tables.mean((1, 2), keepdims=True)
    shared = (residual**2).sum((1, 2)) / ((seeds - 1) * (problems - 1)) / (seeds * problems)
    return over_problems, over_seeds, shared


def estimate(outcomes: ArrayLike) -> Estimated:
    """Return the mean of a table of paired differences of outcomes, with a 95% interval and a test.

    The interval of an accuracy itself is :func:`distillgame.stats.accuracy_interval`, which stays within [0, 1].

    With several seeds it is a t-interval whose degrees of freedom are Satterthwaite's for the sum of a variance over
    seeds (S - 1 degrees) and one over problems (P - 1): with three seeds and no effect of the problems it is the usual
    t-interval over three seeds; a bootstrap over so few would be too narrow. With two seeds it is too narrow as well.
    With one seed it is a percentile bootstrap over problems, and the p-value is that of a t-test over problems.

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
        # The whole variance over seeds, not what remains after subtracting the problems' share: that may be zero by
        # chance, and then three seeds would count as many.
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
    """Return the ratio of two accuracies minus one, with its 95% interval (delta method on the log ratio).

    Args:
        first: Outcomes of the first, shape (S, P).
        second: Outcomes of the second on the same problems and seeds.

    Returns:
        Value, low and high; None if either accuracy is zero, or if the interval is too wide to say anything.
    """
    ours, theirs = (np.atleast_2d(np.asarray(x, dtype=float)) for x in (first, second))
    if ours.mean() == 0 or theirs.mean() == 0:
        return None
    ratio = float(np.log(ours.mean() / theirs.mean()))
    found = estimate(ours / ours.mean() - theirs / theirs.mean() + ratio)
    if found.high > MOST:
        return None
    return float(np.expm1(ratio)), float(np.expm1(found.low)), float(np.expm1(found.high))


def holm(p_values: ArrayLike, tried: int = 0) -> list[float]:
    """Correct p-values for their number (Holm, 1979), in their order.

    Args:
        p_values: The p-values.
        tried: How many hypotheses were tried, if more than are listed; those left out count as not significant.
    """
    values = np.asarray(p_values, dtype=float)
    order = np.argsort(values, kind="stable")
    factors = max(tried, len(values)) - np.arange(len(values))
    corrected = np.empty_like(values)
    corrected[order] = np.minimum(np.maximum.accumulate(values[order] * factors), 1.0)
    return [float(value) for value in corrected]


def _constant(value: float, problems: int) -> Estimated:
    """Return the estimate for identical outcomes: a Clopper-Pearson interval and the p-value of a sign test."""
    reach = 1 - ((1 - LEVEL) / 2) ** (1 / problems)
    return Estimated(value, 0.0, value - reach, value + reach, 1.0 if value == 0 else 2 * 0.5**problems)


def _bootstrap(problems: np.ndarray) -> tuple[float, float]:
    rng = np.random.default_rng(0)
    places = rng.integers(len(problems), size=(RESAMPLES, len(problems)))
    low, high = np.quantile(problems[places].mean(1), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
