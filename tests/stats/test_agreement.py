from itertools import permutations

import numpy as np
import pytest
from numpy.typing import ArrayLike

from distillgame.stats import (
    Interval,
    Scored,
    level_masses,
    mean_score,
    ordinal_alpha,
    paired_shift,
    paired_shifts,
    weighted_kappa,
)
from distillgame.stats.agreement import alpha_statistic

NAN = np.nan

KRIPPENDORFF = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, NAN, NAN, NAN],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NAN, 3],
    [NAN, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NAN],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NAN],
]
"""The example of "Computing Krippendorff's Alpha-Reliability" (2011), section C; its ordinal alpha is .815."""

THREE_CODERS = [
    [NAN, NAN, NAN, NAN, NAN, 3, 4, 1, 2, 1, 1, 3, 3, NAN, 3],
    [1, NAN, 2, 1, 3, 3, 4, 3, NAN, NAN, NAN, NAN, NAN, NAN, NAN],
    [NAN, NAN, 2, 1, 3, 4, 4, NAN, 2, 1, 1, 3, 3, NAN, 4],
]
"""A widely used example whose nominal alpha is .691 and whose interval alpha is .811."""

ANXIETY = [
    [3, 3, 3, 4, 5, 5, 2, 3, 5, 2, 2, 6, 1, 5, 2, 2, 1, 2, 4, 3],
    [3, 6, 4, 6, 2, 4, 2, 4, 3, 3, 2, 3, 3, 3, 2, 2, 1, 3, 3, 4],
]
"""The first two raters of the data "anxiety" in R's package irr; kappa2(..., "squared") is .297."""


def each_alone(scores: ArrayLike) -> Scored:
    """Every item is about a problem of its own."""
    table = np.asarray(scores, dtype=float)
    return Scored(table, range(table.shape[1]))


def alpha_by_definition(table: np.ndarray) -> float:
    """Coincidences of values, and the differences of Krippendorff's section E, both summed in loops."""
    units = [column[~np.isnan(column)] for column in table.T]
    units = [unit for unit in units if len(unit) > 1]
    values = sorted({value for unit in units for value in unit})
    coincidences = {(c, k): 0.0 for c in values for k in values}
    for unit in units:
        for one, other in permutations(range(len(unit)), 2):
            coincidences[unit[one], unit[other]] += 1 / (len(unit) - 1)
    sizes = {c: sum(coincidences[c, k] for k in values) for c in values}
    total = sum(sizes.values())
    observed = expected = 0.0
    for c in values:
        for k in values:
            between = sum(sizes[g] for g in values if min(c, k) <= g <= max(c, k))
            difference = (between - (sizes[c] + sizes[k]) / 2) ** 2
            observed += coincidences[c, k] * difference
            expected += sizes[c] * sizes[k] * difference / (total - 1)
    return 1 - observed / expected


def kappa_by_definition(pair: np.ndarray, levels: int) -> float:
    first, second = pair
    joint = np.zeros((levels, levels))
    for one, other in zip(first, second, strict=True):
        joint[int(one) - 1, int(other) - 1] += 1 / len(first)
    weights = (np.arange(levels)[:, None] - np.arange(levels)) ** 2
    return float(1 - (weights * joint).sum() / (weights * np.outer(joint.sum(1), joint.sum(0))).sum())


def judged(rng: np.random.Generator, problems: int, each: int, noise: float = 0.7) -> Scored:
    """Scores from 1 to 5 of three judges; items of one problem resemble each other, and some scores are missing."""
    quality = 3 + rng.normal(size=(problems, 1)) + 0.5 * rng.normal(size=(problems, each))
    table = np.clip(np.rint(quality.ravel() + noise * rng.normal(size=(3, problems * each))), 1, 5)
    table[rng.random(table.shape) < 0.15] = NAN
    return Scored(table, np.repeat(np.arange(problems), each).tolist())


def value(found: Interval | None) -> float:
    assert found is not None
    return found.value


def test_alpha_is_krippendorffs() -> None:
    assert value(ordinal_alpha(each_alone(KRIPPENDORFF))) == pytest.approx(0.815, abs=5e-4)


@pytest.mark.parametrize("seed", range(5))
def test_alpha_is_that_of_its_definition(seed: int) -> None:
    scored = judged(np.random.default_rng(seed), 8, 3)
    assert value(ordinal_alpha(scored)) == pytest.approx(alpha_by_definition(scored.table))
    continuous = Scored(scored.table + np.random.default_rng(seed).random(scored.table.shape), scored.problems)
    assert value(ordinal_alpha(continuous)) == pytest.approx(alpha_by_definition(continuous.table))
    assert alpha_by_definition(np.array(THREE_CODERS)) == pytest.approx(value(ordinal_alpha(each_alone(THREE_CODERS))))


def test_alpha_sees_the_order_alone() -> None:
    table = np.array(KRIPPENDORFF, dtype=float)
    assert value(ordinal_alpha(each_alone(np.exp(table)))) == value(ordinal_alpha(each_alone(table)))
    assert value(ordinal_alpha(each_alone(-table))) == pytest.approx(value(ordinal_alpha(each_alone(table))))


def test_alpha_is_one_if_all_agree_and_near_zero_if_none_does() -> None:
    rng = np.random.default_rng(0)
    same = np.tile(rng.integers(1, 6, size=40), (3, 1))
    assert ordinal_alpha(each_alone(same)) == Interval(1, 1, 1)
    assert abs(value(ordinal_alpha(each_alone(rng.integers(1, 6, size=(3, 600)))))) < 0.1


def test_resampling_alpha_is_computing_it_anew() -> None:
    """A problem drawn twice counts as two problems of the same scores."""
    scored = judged(np.random.default_rng(3), 6, 2, noise=1.5)
    counts = np.array([2, 0, 1, 3, 1, 0])
    repeated = np.repeat(np.arange(12), np.repeat(counts, 2))
    used = (~np.isnan(scored.table)).sum(0) >= 2
    statistic = alpha_statistic(scored.table[:, used], ~np.isnan(scored.table[:, used]), scored.places[used])
    found = float(statistic(counts[None].astype(float))[0])
    assert found == pytest.approx(alpha_by_definition(scored.table[:, repeated]))


def test_kappa_is_that_of_r() -> None:
    assert value(weighted_kappa(each_alone(ANXIETY))) == pytest.approx(0.297, abs=5e-4)


def test_kappa_is_that_of_its_definition() -> None:
    rng = np.random.default_rng(1)
    for _ in range(5):
        scores = rng.integers(1, 6, size=(2, 30))
        assert value(weighted_kappa(each_alone(scores))) == pytest.approx(kappa_by_definition(scores, 5))
    assert weighted_kappa(each_alone([[1.0, 2.0, 3.0, NAN], [1.0, 2.0, 3.0, 5.0]])) == Interval(1, 1, 1)


def test_nothing_to_agree_on_is_no_agreement() -> None:
    assert ordinal_alpha(each_alone(np.full((3, 10), 4))) is None
    assert weighted_kappa(each_alone(np.full((2, 10), 4.1))) is None


def test_too_few_problems_and_wrong_numbers_of_judges_are_refused() -> None:
    with pytest.raises(ValueError, match="at least two"):
        mean_score(Scored([1, 2, 3], ["a", "a", "a"]))
    with pytest.raises(ValueError, match="at least two"):
        ordinal_alpha(each_alone([[1, NAN, 3], [NAN, 2, 3]]))
    with pytest.raises(ValueError, match="at least two"):
        weighted_kappa(each_alone([[1, NAN], [NAN, 2]]))
    with pytest.raises(ValueError, match="at least two"):
        paired_shift(Scored([1, 2], ["a", "b"]), Scored([1, 2], ["a", "c"]))
    with pytest.raises(ValueError, match="two judges"):
        weighted_kappa(each_alone(KRIPPENDORFF))
    with pytest.raises(ValueError, match="one judge"):
        mean_score(each_alone(KRIPPENDORFF))
    with pytest.raises(ValueError, match="problem per item"):
        mean_score(Scored([1, 2, 3], ["a", "b"]))


def test_intervals_of_agreement_cover_the_truth() -> None:
    """Of 40 intervals of 60 problems, 38 should cover the value of a huge sample; fewer than 33 come by chance .001.

    Items of one problem count together: an interval over items as if they were independent would be too narrow.
    """
    truth = judged(np.random.default_rng(100), 10000, 2)
    pair = Scored(truth.table[:2], truth.problems)
    alpha, kappa = (alpha_of_many(truth.table), kappa_by_definition(both(pair), 5))
    covered = np.zeros(2)
    for seed in range(40):
        sample = judged(np.random.default_rng(seed), 60, 2)
        for place, (found, wanted) in enumerate(
            [(ordinal_alpha(sample), alpha), (weighted_kappa(Scored(sample.table[:2], sample.problems)), kappa)]
        ):
            assert found is not None
            covered[place] += found.low <= wanted <= found.high
    assert (covered >= 33).all()


def alpha_of_many(table: np.ndarray) -> float:
    """The definition, without a loop over items: coincidences by number of scores."""
    present = (~np.isnan(table)).sum(0)
    hits = (table[..., None] == np.arange(1, 6)).sum(0).astype(float)[present > 1]
    sizes = hits.sum(1)
    coincidences = (hits / (sizes - 1)[:, None]).T @ hits - np.diag((hits / (sizes - 1)[:, None]).sum(0))
    marginal = coincidences.sum(0)
    ranks = np.cumsum(marginal) - marginal / 2
    squares = (ranks[:, None] - ranks) ** 2
    expected = (np.outer(marginal, marginal) * squares).sum() / (marginal.sum() - 1)
    return float(1 - (coincidences * squares).sum() / expected)


def both(pair: Scored) -> np.ndarray:
    return np.asarray(pair.table[:, ~np.isnan(pair.table).any(0)])


def test_intervals_of_means_cover_the_truth_where_items_cluster() -> None:
    """100 repetitions, 80 problems: a coverage of 94% falls below 86% with a probability of .001."""
    rng = np.random.default_rng(5)
    covered = 0
    for _ in range(100):
        scores = 3 + rng.normal(size=(80, 1)) + 0.3 * rng.normal(size=(80, 4))
        found = mean_score(Scored(scores.ravel(), np.repeat(np.arange(80), 4).tolist()))
        assert found.value == pytest.approx(scores.mean())
        covered += found.low <= 3 <= found.high
    assert covered >= 86


def test_an_interval_over_problems_is_as_wide_as_their_means_say() -> None:
    means = np.random.default_rng(0).normal(size=200)
    found = mean_score(Scored(np.repeat(means, 5), np.repeat(np.arange(200), 5).tolist()))
    assert found.high - found.low == pytest.approx(2 * 1.96 * means.std() / 200**0.5, rel=0.1)


def test_masses_are_shares_of_the_nearest_levels() -> None:
    scores = [1, 1.4, 1.5, 2.5, 4.49, 4.5, 5, NAN, 3, 5]
    found = level_masses(Scored(scores, list("abcdefghij")))
    assert [mass.value for mass in found] == pytest.approx([2 / 9, 1 / 9, 2 / 9, 1 / 9, 3 / 9])
    assert all(mass.low <= mass.value <= mass.high for mass in found)
    assert len(level_masses(Scored([1, 2, 3], "abc"), levels=3)) == 3


def test_a_level_without_scores_is_not_excluded() -> None:
    """Clopper and Pearson's interval of 0 successes in 12 ends at .265."""
    found = level_masses(Scored([5.0] * 24, list(range(12)) * 2))
    assert [found[0].low, found[0].high] == pytest.approx([0, 0.265], abs=1e-3)
    assert [found[4].low, found[4].high] == pytest.approx([0.735, 1], abs=1e-3)


def test_scores_off_the_scale_have_no_level() -> None:
    with pytest.raises(ValueError, match="from 1 to 5"):
        level_masses(Scored([0.9, 3], "ab"))


def test_a_shift_is_the_mean_difference_of_problems() -> None:
    ours = Scored([5, 3, 4, NAN, 1, 2], ["a", "a", "b", "c", "d", "x"])
    theirs = Scored([2, 1, 3, 5, 4], ["d", "a", "b", "c", "y"])
    found = paired_shift(ours, theirs)
    assert found.problems == 3
    assert found.value == pytest.approx((3 + 1 - 1) / 3)
    assert found.low <= found.value <= found.high


def test_p_values_of_shifts_are_those_of_all_signs() -> None:
    """2 x 3 of the 2^7 sums are as far from zero, within the error of 9,999 draws (3 deviations: .0064)."""
    differences = [1.0, 2, 3, 4, 5, 6, -2]
    signs = np.array(np.meshgrid(*[[-1, 1]] * 7)).reshape(7, -1)
    exact = np.mean(np.abs(np.array(differences) @ signs) >= sum(differences) - 1e-9)
    found = paired_shift(Scored(differences, "abcdefg"), Scored([0.0] * 7, "abcdefg"))
    assert found.p_value == pytest.approx(exact, abs=0.0064)
    assert paired_shift(Scored([3.0, 4], "ab"), Scored([3.0, 4], "ab")).p_value == 1


def test_p_values_of_shifts_are_uniform_without_a_difference() -> None:
    """200 repetitions of 30 problems: each share deviates by less than 3.5 deviations, but for 1 in 1,000 seeds."""
    rng = np.random.default_rng(8)
    problems = [str(number) for number in range(30)]
    p_values = []
    for seed in range(200):
        shared = rng.normal(size=30)
        ours, theirs = (Scored(shared + rng.normal(size=30), problems) for _ in range(2))
        p_values.append(paired_shift(ours, theirs, seed).p_value)
    for level in (0.05, 0.25, 0.5, 0.75):
        assert abs(np.mean(np.array(p_values) <= level) - level) < 3.5 * (level * (1 - level) / 200) ** 0.5


def test_p_values_of_several_shifts_are_corrected() -> None:
    rng = np.random.default_rng(9)
    problems = list(range(40))
    baseline = Scored(rng.normal(size=40), problems)
    policies = {name: Scored(rng.normal(size=40) + by, problems) for name, by in (("a", 0.0), ("b", 0.6), ("c", 3.0))}
    found = paired_shifts(policies, baseline)
    assert found["c"].p_value == 1e-4
    assert found["c"].corrected == pytest.approx(3e-4)
    assert found["b"].corrected == pytest.approx(2 * found["b"].p_value)
    assert found["a"].corrected == found["a"].p_value == paired_shift(policies["a"], baseline).p_value


def test_the_same_seed_gives_the_same_interval() -> None:
    scored = judged(np.random.default_rng(0), 20, 2)
    assert ordinal_alpha(scored, 1) == ordinal_alpha(scored, 1) != ordinal_alpha(scored, 2)
