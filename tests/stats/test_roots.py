import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distillgame.stats import OutOfReachError, Trial, find_root

START = Trial(0.0, 0.0)


@given(st.floats(0.01, 100), st.floats(0.5, 4), st.floats(1e-3, 1e3))
@settings(max_examples=60, deadline=None)
def test_a_goal_is_found_in_a_few_evaluations(goal: float, power: float, scale: float) -> None:
    """A divergence rises with a power of the strength near two."""
    trials = find_root(lambda x: scale * x**power, goal, START, 0.1, tolerance=0.005 * goal, doublings=40)
    best = min(trials, key=lambda trial: abs(trial.y - goal))
    assert best.y == pytest.approx(goal, rel=0.01)
    expected = math.log2(max(10 * (goal / scale) ** (1 / power), 1)) + 1
    assert len(trials) <= expected + 10


def test_the_same_value_is_never_measured_twice() -> None:
    tried: list[float] = []

    def noisy(x: float) -> float:
        tried.append(x)
        return x + 0.05 * math.sin(1000 * x)

    find_root(noisy, 1.0, START, 0.1)
    assert len(tried) == len(set(tried))


def test_a_jump_is_closed_in_on() -> None:
    trials = find_root(lambda x: 0.0 if x < 1.2345 else 5.0, 1.0, START, 0.1, evaluations=60)
    assert min(abs(trial.x - 1.2345) for trial in trials) < 2e-3


def test_the_largest_strength_is_tried_before_giving_up() -> None:
    with pytest.raises(OutOfReachError) as caught:
        find_root(lambda x: x, 2.0, START, 0.3, most=1.0)
    assert caught.value.best == Trial(1.0, 1.0)
    with pytest.raises(OutOfReachError):
        find_root(lambda x: 1 - math.exp(-x), 2.0, START, 0.3)


def test_what_does_not_move_is_soon_given_up() -> None:
    tried: list[float] = []

    def measure(x: float) -> float:
        tried.append(x)
        return 0.0

    with pytest.raises(OutOfReachError):
        find_root(measure, 1.0, START, 0.1)
    assert len(tried) == 6


def test_a_goal_below_the_start_is_refused() -> None:
    with pytest.raises(ValueError, match="not above"):
        find_root(lambda x: x, 0.5, Trial(0.6, 0.5), 0.1)
