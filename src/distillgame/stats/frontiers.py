"""The area between two curves of a frontier."""

from collections.abc import Sequence

import numpy as np

Point = tuple[float, float]
"""Utility and leakage."""


def area_between(first: Sequence[Point], second: Sequence[Point]) -> float | None:
    """Return the area between two curves over the utilities that both cover.

    Curves are linear between their points; points of equal utility count as their mean.

    Args:
        first: Points of the lower curve (the passive student's), in any order.
        second: Points of the upper one (the strongest student's).

    Returns:
        The signed area, positive if the second curve is above, in units of utility x leakage; None if the curves share
        no range.
    """
    (x, y), (u, v) = _curve(first), _curve(second)
    if len(x) < 2 or len(u) < 2:
        return None
    low, high = max(x[0], u[0]), min(x[-1], u[-1])
    if low >= high:
        return None
    grid = np.unique(np.concatenate([x, u, [low, high]]).clip(low, high))
    return float(np.trapezoid(np.interp(grid, u, v) - np.interp(grid, x, y), grid))


def _curve(points: Sequence[Point]) -> tuple[np.ndarray, np.ndarray]:
    places = sorted({x for x, _ in points})
    return np.array(places), np.array([np.mean([y for x, y in points if x == place]) for place in places])
