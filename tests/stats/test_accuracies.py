from collections.abc import Iterator

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import expit

from distillgame.stats import accuracy_interval, accuracy_intervals

ACCURACIES = (0.01, 0.03, 0.2, 0.5, 0.99)
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(60)


def intercept(accuracy: float, spread: float) -> float:
    """Log-odds at which normal effects of this spread leave the accuracy."""
    weights = WEIGHTS / WEIGHTS.sum()
    return float(brentq(lambda x: float(weights @ expit(x + spread * NODES)) - accuracy, -40, 40))


def games(accuracy: float, seeds: int, over_seeds: float, over_problems: float, problems: int) -> Iterator[np.ndarray]:
    """Yield 2,000 simulated tables of right and wrong answers, with normal effects in log-odds."""
    rng = np.random.default_rng(15)
    center = intercept(accuracy, float(np.hypot(over_seeds, over_problems)))
    for _ in range(10):
        odds = center + over_seeds * rng.normal(size=(200, seeds, 1))
        odds = odds + over_problems * rng.normal(size=(200, 1, problems))
        yield (rng.random((200, seeds, problems), dtype=np.float32) < expit(odds)).astype(float)


@pytest.mark.parametrize(("over_seeds", "over_problems"), [(0, 0), (0, 1.5), (0.3, 1), (1, 1.5)])
@pytest.mark.parametrize("accuracy", ACCURACIES)
def test_three_seeds_cover_near_the_ends_too(accuracy: float, over_seeds: float, over_problems: float) -> None:
    """Wanted is .93 to .97; two standard errors of 2,000 repetitions are .01."""
    covered = []
    for tables in games(accuracy, 3, over_seeds, over_problems, 500):
        low, high = accuracy_intervals(tables)
        assert (low >= 0).all()
        assert (high <= 1).all()
        assert (low <= tables.mean((1, 2))).all()
        assert (high >= tables.mean((1, 2))).all()
        covered += list((low <= accuracy) & (accuracy <= high))
    assert 0.92 <= np.mean(covered) <= 0.98


@pytest.mark.parametrize("accuracy", [0.02, 0.5])
@pytest.mark.parametrize(("seeds", "over_seeds"), [(1, 0), (5, 0), (5, 0.5)])
def test_other_numbers_of_seeds_cover(accuracy: float, seeds: int, over_seeds: float) -> None:
    covered = []
    for tables in games(accuracy, seeds, over_seeds, 1.0, 300):
        low, high = accuracy_intervals(tables)
        covered += list((low <= accuracy) & (accuracy <= high))
    assert 0.92 <= np.mean(covered) <= 0.98


def test_all_right_and_none_right_are_no_certainty() -> None:
    """Clopper and Pearson's interval of 12 successes in 12 begins at .735; seeds that agree count as one."""
    for seeds in (1, 3):
        low, high = accuracy_interval(np.ones((seeds, 12)))
        assert [low, high] == pytest.approx([0.735, 1.0], abs=1e-3)
        assert high == 1
        low, high = accuracy_interval(np.zeros((seeds, 12)))
        assert [low, high] == pytest.approx([0.0, 0.265], abs=1e-3)
        assert low == 0


def test_right_and_wrong_are_treated_alike() -> None:
    outcomes = (np.random.default_rng(0).random((3, 40)) < 0.1).astype(float)
    low, high = accuracy_interval(outcomes)
    assert accuracy_interval(1 - outcomes) == pytest.approx((1 - high, 1 - low))


def test_few_seeds_that_disagree_widen_the_interval_as_t_does() -> None:
    """Every seed is all of one kind: a t-interval over three seeds, in log-odds."""
    table = np.repeat(np.array([[1.0], [1.0], [0.0]]), 50, axis=1)
    reach = 4.3027 * table.mean(1).std(ddof=1) / 3**0.5 / (2 / 9)
    low, high = accuracy_interval(table)
    assert [low, high] == pytest.approx([expit(np.log(2) - reach), expit(np.log(2) + reach)], rel=1e-3)


def test_one_problem_is_refused() -> None:
    with pytest.raises(ValueError, match="at least two problems"):
        accuracy_interval([[1.0]])
