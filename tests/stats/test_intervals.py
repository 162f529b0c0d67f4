import numpy as np
import pytest

from distillgame.arena.results.flags import POWER
from distillgame.stats import area_between, estimate, holm, relative_gain, standard_error


def table(rng: np.random.Generator, seeds: int, problems: int, effect: float) -> np.ndarray:
    """Outcomes of mean .5 with effects of seeds and problems."""
    return (
        0.5
        + effect * rng.normal(size=(seeds, 1))
        + 0.3 * rng.normal(size=(1, problems))
        + 0.35 * rng.normal(size=(seeds, problems))
    )


@pytest.mark.parametrize(
    ("seeds", "effect", "least"), [(1, 0.0, 0.92), (3, 0.0, 0.92), (3, 0.05, 0.91), (5, 0.03, 0.92)]
)
def test_intervals_cover_the_truth(seeds: int, effect: float, least: float) -> None:
    """500 repetitions: a true coverage of 95% falls below 92% with a probability of .002 (binomial)."""
    rng = np.random.default_rng(0)
    found = [estimate(table(rng, seeds, 200, effect)) for _ in range(500)]
    assert np.mean([each.low <= 0.5 <= each.high for each in found]) >= least


def test_few_seeds_that_disagree_widen_the_interval_as_t_does() -> None:
    """No effect of problems: the textbook t-interval over three seeds."""
    means = np.array([0.5, 0.6, 0.7])
    found = estimate(np.repeat(means[:, None], 50, axis=1))
    assert found.high - found.value == pytest.approx(4.3027 * 0.1 / 3**0.5, rel=1e-3)


def test_p_values_are_uniform_without_a_difference() -> None:
    """400 repetitions: the share below .05 stays below .08 with probability .997."""
    rng = np.random.default_rng(1)
    p_values = [estimate(table(rng, 3, 100, 0.0) - table(rng, 3, 100, 0.0)).p_value for _ in range(400)]
    assert np.mean(np.array(p_values) < 0.05) < 0.08


def test_identical_answers_are_no_difference() -> None:
    found = estimate(np.zeros((3, 10)))
    assert (found.value, found.p_value) == (0, 1)
    assert found.high == -found.low == pytest.approx(1 - 0.025 ** (1 / 10))


def test_all_right_is_not_certainty() -> None:
    """Clopper and Pearson's interval of 12 successes in 12 begins at .735."""
    found = estimate(np.ones((1, 12)))
    assert found.low == pytest.approx(0.735, abs=1e-3)
    assert found.p_value == pytest.approx(2 * 0.5**12)


def test_holm_is_the_textbook_correction() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []
    # The same if three more were tried, none of them significant.
    assert holm([0.01, 0.04], tried=5) == pytest.approx(holm([0.01, 0.04, 1, 1, 1])[:2])


def test_relative_gain_brackets_the_ratio() -> None:
    rng = np.random.default_rng(2)
    theirs = (rng.random((3, 400)) < 0.4).astype(float)
    ours = np.maximum(theirs, rng.random((3, 400)) < 0.3)
    found = relative_gain(ours, theirs)
    assert found is not None
    value, low, high = found
    assert value == pytest.approx(ours.mean() / theirs.mean() - 1)
    assert low < value < high
    assert relative_gain(ours, np.zeros((3, 400))) is None


def test_what_is_detectable_is_found_in_four_of_five_repetitions() -> None:
    rng = np.random.default_rng(3)
    reach = POWER * estimate(rng.normal(size=(1, 200))).standard_error
    found = [estimate(rng.normal(size=(1, 200)) + reach).p_value < 0.05 for _ in range(300)]
    assert np.mean(found) == pytest.approx(0.8, abs=0.08)


def test_the_area_between_curves() -> None:
    assert area_between([(0, 0), (1, 0)], [(0, 1), (1, 1)]) == pytest.approx(1)
    assert area_between([(0, 0), (1, 1)], [(0.5, 1), (2, 1)]) == pytest.approx(0.125)
    assert area_between([(0, 0), (1, 0)], [(0, 1), (1, -1)]) == pytest.approx(0)
    assert area_between([(0, 0), (1, 0)], [(2, 1), (3, 1)]) is None
    assert area_between([(0, 0)], [(0, 1), (1, 1)]) is None


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
