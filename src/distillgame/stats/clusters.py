"""Means and distributions of scores, with bootstrap intervals in which all items of one problem stand together."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from distillgame.stats.intervals import LEVEL, RESAMPLES

PORTION = 100
"""Resamples that are held at once."""

Statistic = Callable[[np.ndarray], np.ndarray]
"""Shape (B, C), how often each of C problems was drawn in B resamples, to B values, or B rows of them."""


@dataclass(frozen=True)
class Interval:
    """A value with its 95% interval.

    Attributes:
        value: The value.
        low: Lower end of the interval.
        high: Its upper end.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Scored:
    """Scores of items, and the problem that each item is about.

    Attributes:
        scores: Shape (N,), or (J, N) for J judges of the same items; nan where a score is missing.
        problems: The N items' problems.
    """

    scores: ArrayLike
    problems: Sequence[Hashable]

    @cached_property
    def table(self) -> np.ndarray:
        """The scores, shape (J, N).

        Raises:
            ValueError: If there is not one problem per item.
        """
        table = np.atleast_2d(np.asarray(self.scores, dtype=float))
        if table.shape[1:] != (len(self.problems),):
            raise ValueError(f"scores of shape {table.shape} need a problem per item (found {len(self.problems)})")
        return table

    @cached_property
    def places(self) -> np.ndarray:
        """Numbers of the items' problems, in the order in which these first come, shape (N,)."""
        numbers = {problem: number for number, problem in enumerate(dict.fromkeys(self.problems))}
        return np.array([numbers[problem] for problem in self.problems], dtype=int)

    def present(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the scores of one judge that are not missing and the numbers of their problems, from 0 without gaps.

        Raises:
            ValueError: If there are several judges.
        """
        if len(self.table) != 1:
            raise ValueError(f"this is defined for the scores of one judge (found {len(self.table)})")
        found = ~np.isnan(self.table[0])
        return self.table[0, found], renumbered(self.places[found])


def renumbered(places: np.ndarray) -> np.ndarray:
    """Return numbers of problems without the gaps that problems leave of which no item is used."""
    return np.asarray(np.unique(places, return_inverse=True)[1])


def bootstrap(statistic: Statistic, problems: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a statistic, and the ends of its 95% interval: the percentile bootstrap over problems.

    Problems are drawn with replacement, each with all its items (the cluster bootstrap; Davison and Hinkley, "Bootstrap
    Methods and their Application", 1997, section 3.8). Resamples in which the statistic is not defined (nan) are left
    out. With fewer than some 20 problems the interval is too narrow.

    Args:
        statistic: The statistic, as a function of how often each problem counts.
        problems: Number of problems.
        seed: Seed of the resamples.

    Raises:
        ValueError: If there are fewer than two problems.
    """
    if problems < 2:
        raise ValueError(f"a bootstrap over problems needs at least two of them (found {problems})")
    rng = np.random.default_rng(seed)
    even = np.full(problems, 1 / problems)
    parts = [
        statistic(rng.multinomial(problems, even, size=PORTION).astype(float)) for _ in range(RESAMPLES // PORTION)
    ]
    draws = np.concatenate(parts)
    draws = draws[~np.isnan(draws).reshape(len(draws), -1).any(1)]
    value = statistic(np.ones((1, problems)))[0]
    if not len(draws):
        return value, np.full_like(value, np.nan), np.full_like(value, np.nan)
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return value, low, high


def interval(statistic: Statistic, problems: int, seed: int) -> Interval | None:
    """Return :func:`bootstrap` of a statistic that is one number; None where it is not defined.

    Raises:
        ValueError: If there are fewer than two problems.
    """
    value, low, high = (float(each) for each in bootstrap(statistic, problems, seed))
    return None if np.isnan([value, low, high]).any() else Interval(value, low, high)


def mean_score(scored: Scored, seed: int = 0) -> Interval:
    """Return the mean over one judge's scores, missing ones left out, with a cluster bootstrap interval over problems.

    Every item counts alike, so that a problem with more items weighs more.

    Raises:
        ValueError: If there are scores of fewer than two problems.
    """
    values, places = scored.present()
    shares = _shares(values[:, None], places, seed)
    return Interval(*(float(each[0]) for each in shares))


def level_masses(scored: Scored, levels: int = 5, seed: int = 0) -> list[Interval]:
    """Return the share of one judge's scores at each level from 1 to ``levels``, with cluster bootstrap intervals.

    Scores between levels count as the nearest one, the higher of two that are equally near; missing ones are left out.
    Where no score is at a level, or all are, resamples are all alike; the other end of the interval is then Clopper's
    and Pearson's, with as many trials as there are problems.

    Args:
        scored: Scores from 1 to ``levels``, whole or not.
        levels: Number of levels.
        seed: Seed of the resamples.

    Raises:
        ValueError: If a score is outside the scale, or there are scores of fewer than two problems.
    """
    values, places = scored.present()
    if ((values < 1) | (values > levels)).any():
        raise ValueError(f"scores must be from 1 to {levels} (found {values.min():g} to {values.max():g})")
    hits = np.floor(values + 0.5)[:, None] == np.arange(1, levels + 1)
    masses, low, high = _shares(hits.astype(float), places, seed)
    edge = ((1 - LEVEL) / 2) ** (1 / (places.max() + 1))
    low, high = np.where(masses == 1, edge, low), np.where(masses == 0, 1 - edge, high)
    return [Interval(*map(float, each)) for each in zip(masses, low, high, strict=True)]


def _shares(values: np.ndarray, places: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the means of the columns of ``values``, shape (N, K), with the ends of their intervals, (K,) each."""
    problems = int(places.max()) + 1 if len(places) else 0
    sums = np.zeros((problems, values.shape[1]))
    np.add.at(sums, places, values)
    sizes = np.bincount(places, minlength=problems).astype(float)
    return bootstrap(lambda counts: counts @ sums / (counts @ sizes)[:, None], problems, seed)
