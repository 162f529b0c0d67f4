"""Search for the point where a measured, increasing quantity reaches a goal."""

from collections.abc import Callable
from dataclasses import dataclass

DIGITS = 4
"""Significant digits of the values tried: as many as anyone would write into a configuration."""


FUTILE = 6
"""Doublings after which the search gives up if the quantity has not moved at all."""


@dataclass(frozen=True)
class Trial:
    """One evaluation.

    Attributes:
        x: The value.
        y: The measurement there.
    """

    x: float
    y: float


class OutOfReachError(ValueError):
    """The goal cannot be reached.

    Attributes:
        best: The trial that came closest.
    """

    def __init__(self, best: Trial):
        super().__init__(f"{best.y:g} at {best.x:g} is the most")
        self.best = best


def find_root(
    measure: Callable[[float], float],
    goal: float,
    start: Trial,
    step: float,
    most: float = float("inf"),
    tolerance: float = 0.0,
    doublings: int = 12,
    evaluations: int = 12,
) -> list[Trial]:
    """Bracket the goal by doubling steps from ``start``, then close in by regula falsi (the Illinois variant).

    It interpolates the square root of the rise in y, because a divergence rises with the square of a small tilt.

    Args:
        measure: y at x; it should increase with x, and may be noisy, but the same x must give the same y.
        goal: The wanted y, above the start's.
        start: Where the search begins, from below.
        step: The first step.
        most: The largest x there is.
        tolerance: How close y has to come to the goal.
        doublings: How often the step is doubled before the search gives up.
        evaluations: How often y is measured once the goal is bracketed.

    Returns:
        All trials, in order; the one that came closest to the goal is the answer.

    Raises:
        OutOfReachError: If y stays below the goal.
        ValueError: If the goal is not above the start.
    """
    if goal <= start.y:
        raise ValueError(f"the goal {goal:g} is not above {start.y:g}, which needs no search")
    trials: list[Trial] = []

    def evaluate(x: float) -> Trial:
        rounded = float(f"{x:.{DIGITS}g}")
        trials.append(Trial(rounded, measure(rounded)))
        return trials[-1]

    low, high = start, start
    while high.y < goal:
        low = high
        is_dead = len(trials) >= FUTILE and all(trial.y == start.y for trial in trials)
        if high.x >= most or len(trials) > doublings or is_dead:
            raise OutOfReachError(max(trials, key=lambda trial: trial.y))
        high = evaluate(min(start.x + step * 2 ** len(trials), most))
    target = (goal - start.y) ** 0.5
    below, above = (max(trial.y - start.y, 0) ** 0.5 - target for trial in (low, high))
    moved = None
    for _ in range(evaluations):
        closest = min(trials, key=lambda trial: abs(trial.y - goal))
        if abs(closest.y - goal) <= tolerance:
            break
        x = (low.x * above - high.x * below) / (above - below)
        if float(f"{x:.{DIGITS}g}") in (low.x, high.x, *(trial.x for trial in trials)):
            break
        middle = evaluate(x)
        distance = max(middle.y - start.y, 0) ** 0.5 - target
        # An end that stays twice counts half; otherwise the other end would approach the goal ever more slowly.
        if distance < 0:
            low, below, above = middle, distance, above / (2 if moved == "low" else 1)
            moved = "low"
        else:
            high, above, below = middle, distance, below / (2 if moved == "high" else 1)
            moved = "high"
    return trials
