"""Agreement of judges who scored the same items: Krippendorff's alpha and Cohen's weighted kappa."""

import numpy as np

from distillgame.stats.clusters import Interval, Scored, Statistic, interval, renumbered


def ordinal_alpha(scored: Scored, seed: int = 0) -> Interval | None:
    """Return Krippendorff's alpha for ordinal scores, with a cluster bootstrap interval over problems.

    It is 1 - D_o/D_e, the observed over the expected disagreement: 1 if all judges agree, 0 if they agree as by chance.
    The squared ordinal difference of two values c < k, (n_c/2 + n_{c+1} + ... + n_{k-1} + n_k/2)², is that of their
    mean ranks among all scores, so that scores need not be whole (Krippendorff, "Computing Krippendorff's
    Alpha-Reliability", 2011, section E). Items with fewer than two scores do not count. In a resample an item of a
    problem that was drawn twice counts as two items, and ranks are taken anew.

    Args:
        scored: Scores of J judges, shape (J, N); nan where a judge gave none.
        seed: Seed of the resamples.

    Returns:
        None if all scores are the same: then there is no order to agree on.

    Raises:
        ValueError: If items with two scores are about fewer than two problems.
    """
    present = ~np.isnan(scored.table)
    used = present.sum(0) >= 2
    present, places = present[:, used], renumbered(scored.places[used])
    problems = int(places.max()) + 1 if len(places) else 0
    return interval(alpha_statistic(scored.table[:, used], present, places), problems, seed)


def weighted_kappa(scored: Scored, seed: int = 0) -> Interval | None:
    """Return Cohen's kappa of two judges with quadratic weights, with a cluster bootstrap interval over problems.

    It is 1 - E(x - y)²/E(x - y')², where y' is the other judge's score of an item drawn independently (Cohen, "Weighted
    kappa", 1968; in moments, as here, Fleiss and Cohen, 1973). It needs no table of levels, so that scores need not be
    whole; it falls below 1 also where one judge is stricter throughout.

    Args:
        scored: Scores of two judges, shape (2, N); items that lack a score do not count.
        seed: Seed of the resamples.

    Returns:
        None if all scores are the same: then there is nothing to agree on.

    Raises:
        ValueError: If there are not two judges, or both scored items of fewer than two problems.
    """
    if len(scored.table) != 2:
        raise ValueError(f"Cohen's kappa is of two judges (found {len(scored.table)})")
    used = ~np.isnan(scored.table).any(0)
    first, second = scored.table[:, used]
    places = renumbered(scored.places[used])
    problems = int(places.max()) + 1 if len(places) else 0
    if problems:
        middle = (first.mean() + second.mean()) / 2
        first, second = first - middle, second - middle
    moments = np.zeros((problems, 5))
    columns = [np.ones_like(first), first, second, first**2 + second**2, (first - second) ** 2]
    np.add.at(moments, places, np.stack(columns, axis=1))

    def statistic(counts: np.ndarray) -> np.ndarray:
        size, ours, theirs, squares, observed = (counts @ moments).T
        return _one_minus(observed / size, (squares - 2 * ours * theirs / size) / size)

    return interval(statistic, problems, seed)


def alpha_statistic(table: np.ndarray, present: np.ndarray, places: np.ndarray) -> Statistic:
    """Return alpha as a function of how often each problem counts.

    Args:
        table: Scores, shape (J, N).
        present: Where there is a score, at least two per item.
        places: Numbers of the items' problems, shape (N,).
    """
    items, judges = np.nonzero(present.T)  # M scores, item by item
    values = table[judges, items]
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    below, upto = (np.searchsorted(ordered, values, side=side) for side in ("left", "right"))
    owners = places[items]
    sizes = present.sum(0)
    begins = np.cumsum(sizes) - sizes

    def statistic(counts: np.ndarray) -> np.ndarray:
        weights = counts[:, owners]
        reached = np.zeros((len(counts), len(values) + 1))
        np.cumsum(weights[:, order], axis=1, out=reached[:, 1:])
        total = reached[:, -1]
        # Mean ranks, from their own mean: their weighted sum is zero.
        ranks = (reached[:, below] + reached[:, upto] - total[:, None]) / 2
        expected = (weights * ranks**2).sum(1) / (total - 1)
        sums, squares = (np.add.reduceat(each, begins, axis=1) for each in (ranks, ranks**2))
        observed = (counts[:, places] * (squares - sums**2 / sizes) * sizes / (sizes - 1)).sum(1) / total
        return _one_minus(observed, expected)

    return statistic


def _one_minus(observed: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Return 1 - observed/expected; nan where nothing but rounding is expected to differ."""
    varies = expected > 1e-12
    return np.where(varies, 1 - observed / np.where(varies, expected, 1.0), np.nan)
