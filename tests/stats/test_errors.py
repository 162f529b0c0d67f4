import numpy as np
import pytest

from distillgame.stats import standard_error


def test_one_seed_is_the_binomial_error() -> None:
    outcomes = np.array([1, 0, 1, 1, 0, 1, 0, 1, 1, 1], dtype=float)
    p, n = outcomes.mean(), len(outcomes)
    assert standard_error(outcomes) == pytest.approx(np.sqrt(p * (1 - p) / (n - 1)))


def test_identical_seeds_add_nothing() -> None:
    outcomes = np.array([1, 0, 1, 1, 0, 1], dtype=float)
    assert standard_error(np.tile(outcomes, (4, 1))) == pytest.approx(standard_error(outcomes))


@pytest.mark.parametrize(("seed_spread", "problem_spread"), [(0.0, 1.0), (1.0, 0.0), (1.0, 1.0), (0.0, 0.0)])
def test_it_covers_the_spread_of_repeated_experiments(seed_spread: float, problem_spread: float) -> None:
    """The mean squared estimate against the variance of the mean over fresh seeds and problems.

    Where seeds differ by no more than chance it is conservative, by its floor; elsewhere it is right within 15%.
    """
    generator = np.random.default_rng(0)
    seeds, problems, repetitions = 4, 30, 3000
    means, variances = [], []
    for _ in range(repetitions):
        table = (
            seed_spread * generator.normal(size=(seeds, 1))
            + problem_spread * generator.normal(size=(1, problems))
            + generator.normal(size=(seeds, problems))
        )
        means.append(table.mean())
        variances.append(standard_error(table) ** 2)
    ratio = np.mean(variances) / np.var(means)
    assert 0.85 < ratio < (1.15 if seed_spread else 1.5)


def test_it_is_never_null() -> None:
    assert standard_error([[1, 1, 0], [0, 1, 1]]) > 0
    with pytest.raises(ValueError, match="at least two problems"):
        standard_error([[1.0]])
