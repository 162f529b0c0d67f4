"""Standard errors of accuracies measured on the same problems with several seeds."""

import numpy as np
from numpy.typing import ArrayLike


def standard_error(outcomes: ArrayLike) -> float:
    """Standard error of the mean of a table of outcomes, over problems and, with several seeds, over seeds too.

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
    """The parts of the grand mean's variance that are due to problems and, beyond those, to seeds; see above."""
    seeds, problems = table.shape
    if problems < 2:
        raise ValueError("a standard error needs at least two problems")
    over_problems = float(table.mean(0).var(ddof=1)) / problems
    if seeds == 1:
        return over_problems, 0.0
    over_seeds = table.mean(1).var(ddof=1) / seeds
    residual = table - table.mean(0, keepdims=True) - table.mean(1, keepdims=True) + table.mean()
    shared = (residual**2).sum() / ((seeds - 1) * (problems - 1)) / (seeds * problems)
    return over_problems, max(0.0, float(over_seeds - shared))
