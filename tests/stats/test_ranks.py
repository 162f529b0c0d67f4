import random

import pytest

from distillgame.stats import rank_correlation


def test_a_rank_correlation_sees_the_order_alone() -> None:
    found = rank_correlation([(float(k), float(k) ** 3) for k in range(20)])
    assert found is not None
    assert found.value == pytest.approx(1)
    assert found.pairs == 20


def test_its_interval_is_fishers_with_fiellers_error() -> None:
    rng = random.Random(0)
    found = rank_correlation([(rng.random(), rng.random()) for _ in range(400)])
    assert found is not None
    assert found.low < found.value < found.high
    assert found.high - found.low == pytest.approx(2 * 1.96 * 1.03 / 397**0.5, rel=0.05)


def test_its_interval_covers_the_truth_as_often_as_it_says() -> None:
    """Of 400 samples of two unrelated sides, 380 intervals are expected to cover zero, with a deviation of 4.4."""
    rng, covered = random.Random(1), 0
    for _ in range(400):
        found = rank_correlation([(rng.random(), rng.random()) for _ in range(40)])
        assert found is not None
        covered += found.low < 0 < found.high
    assert 362 < covered < 398  # four deviations: a false alarm in 16,000 seeds


def test_there_is_none_of_few_pairs_or_of_a_side_that_does_not_vary() -> None:
    assert rank_correlation([(1.0, 2.0)] * 3) is None
    assert rank_correlation([(1.0, float(k)) for k in range(20)]) is None
