"""No false accusation: statistics and p-values against brute force and over thousands of keys."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy.stats import binom, ks_2samp, kstest

from distillgame.attribution import GreenStatistic, Nulls, Position, RaceStatistic, Statistic, significance
from distillgame.policies.seeds import owner_key
from tests.attribution.common import KEY, made_up

KINDS = ["race", "green", "salted race", "salted green"]


def make(kind: str, positions: list[Position]) -> Statistic:
    salts = 3 if kind.startswith("salted") else 1
    return RaceStatistic(positions, salts) if kind.endswith("race") else GreenStatistic(positions, 0.25, salts)


@pytest.mark.parametrize("kind", KINDS)
def test_over_keys_the_statistic_has_its_mean_its_deviation_and_its_cumulants(kind: str) -> None:
    statistic = make(kind, made_up(60))
    values = np.array([statistic.of_key(owner_key(b"test", str(i))) for i in range(2000)]) / statistic.deviation
    assert abs(values.mean()) < 5 / math.sqrt(2000)
    assert values.std() == pytest.approx(1, abs=0.1)
    for tilt in (-1.0, 0.5, 1.0):
        wanted = math.exp(statistic.cumulant(tilt / statistic.deviation))
        found = np.exp(tilt * values)
        assert abs(found.mean() - wanted) < 5 * found.std() / math.sqrt(2000)


@pytest.mark.parametrize("kind", KINDS)
def test_draws_follow_the_law_of_unknown_keys_and_its_tilts(kind: str) -> None:
    """Against keys by the distance of two samples, and tilted moments against the cumulant function, at 1e-6 each."""
    statistic = make(kind, made_up(60))
    keys = [statistic.of_key(owner_key(b"test", str(i))) for i in range(2000)]
    plain = statistic.draws(KEY, torch.arange(2000), 0.0)
    assert ks_2samp(keys, plain).pvalue > 1e-6
    tilt = 1.5 / statistic.deviation
    back = np.exp(statistic.cumulant(tilt) - tilt * statistic.draws(KEY, torch.arange(2000), tilt))
    assert abs(back.mean() - 1) < 5 * back.std() / math.sqrt(2000)


@pytest.mark.parametrize("kind", ["race", "green"])
def test_p_values_are_the_exact_tail(kind: str) -> None:
    """All outcomes of five contexts of two tokens, the rarest too; 40,000 draws leave at most a tenth."""
    statistic, outcomes = enumerated(kind)
    nulls = Nulls(statistic, 40_000)
    for value, _ in outcomes:
        tail = sum(mass for other, mass in outcomes if other >= value - 1e-9)
        assert nulls.significance(value).p_value == pytest.approx(min(1, tail), rel=0.1)


@pytest.mark.parametrize("kind", ["race", "green"])
def test_with_few_draws_p_values_are_still_valid(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """P(p <= a) <= a over the draws, for nine of them; 100 sets, false-alarm rate 1e-5 per level."""
    statistic, outcomes = enumerated(kind)
    levels = np.array([0.2, 0.05, 0.01, 0.002])
    rates = []
    for number in range(100):
        monkeypatch.setattr(significance, "UNUSED", owner_key(b"draws", str(number)))
        nulls = Nulls(statistic, 9)
        found = np.array([nulls.significance(value).p_value for value, _ in outcomes])
        masses = np.array([mass for _, mass in outcomes])
        rates.append(((found[:, None] <= levels) * masses[:, None]).sum(0))
    mean, error = np.mean(rates, axis=0), np.std(rates, axis=0) / math.sqrt(100)
    assert (mean <= levels + 4.3 * error).all(), mean


def enumerated(kind: str) -> tuple[Statistic, list[tuple[float, float]]]:
    """A statistic on five contexts of two tokens, and its outcomes with their probabilities."""
    generator = np.random.default_rng(1)
    positions = []
    for place in range(5):
        share = generator.uniform(0.1, 0.9)
        reference = np.array([share, 1 - share])
        preference = generator.normal(0, 1, 2)
        preference -= (reference * preference).sum()
        positions.append(Position((place,), 1, np.arange(2), reference, preference))
    if kind == "race":
        single = [[(q, f) for q, f in zip(p.reference, p.preference, strict=True)] for p in positions]
    else:
        both = [((0.25, 0.75), (0.75, -0.25))] * 2
        single = [
            [
                (
                    math.prod(q for q, _ in chosen),
                    sum(w * s for w, (_, s) in zip(p.reference * p.preference, chosen, strict=True)),
                )
                for chosen in itertools.product(*(zip(*side, strict=True) for side in both))
            ]
            for p in positions
        ]
    outcomes = [(sum(f for _, f in chosen), math.prod(q for q, _ in chosen)) for chosen in itertools.product(*single)]
    assert sum(mass for _, mass in outcomes) == pytest.approx(1)
    return make(kind, positions), outcomes


@pytest.mark.parametrize("kind", ["race", "green", "salted race"])
def test_two_thousand_unknown_keys_give_uniform_p_values_and_no_accusation(kind: str) -> None:
    """Uniform at 1e-6, and at each level neither more nor fewer than a rate within a quarter of it explains (1e-4)."""
    nulls = Nulls(make(kind, made_up(300)))
    found = [nulls.significance(nulls.statistic.of_key(owner_key(b"null", str(i)))).p_value for i in range(2000)]
    # The null has 999 draws, whose own scatter adds to that of the keys: the distance of two samples.
    assert kstest(found, "uniform").statistic < 2.7 * math.sqrt(5 / 999 + 1 / 2000)
    for level in (0.001, 0.01, 0.05):
        below = sum(p_value <= level for p_value in found)
        assert binom.sf(below - 1, 2000, 1.25 * level) > 1e-4
        assert level < 0.01 or binom.cdf(below, 2000, 0.8 * level) > 1e-4


def test_the_tail_is_as_sharp_as_its_body(monkeypatch: pytest.MonkeyPatch) -> None:
    """A million unknown keys, drawn as such, against ten sets of draws: the rate is the level, and no bound on it."""
    statistic = make("race", made_up(100))
    largest = np.sort(statistic.draws(KEY, torch.arange(1_000_000), 0.0))[-3000:]
    rates = []
    for number in range(10):
        monkeypatch.setattr(significance, "UNUSED", owner_key(b"draws", str(number)))
        nulls = Nulls(statistic)
        found = np.array([nulls.significance(value).p_value for value in largest])
        assert found[0] > 2e-3
        rates.append([(found <= level).sum() / 1_000_000 for level in (1e-3, 1e-4)])
    # Standard errors are 4.5 and 11 percent.
    at_1e3, at_1e4 = np.mean(rates, axis=0)
    assert at_1e3 == pytest.approx(1e-3, rel=0.2)
    assert at_1e4 == pytest.approx(1e-4, rel=0.45)


def test_p_values_scatter_by_a_tenth_at_1e_3_and_by_a_fifth_at_1e_15(monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard deviations of log p over 40 sets of draws, each known to about a ninth."""
    statistic = make("race", made_up(300))
    found = []
    for number in range(40):
        monkeypatch.setattr(significance, "UNUSED", owner_key(b"draws", str(number)))
        nulls = Nulls(statistic)
        found.append([math.log(nulls.significance(z * statistic.deviation).p_value) for z in (3.09, 8.0)])
    near, far = np.std(found, axis=0)
    assert 0.07 < near < 0.17
    assert 0.12 < far < 0.32


@pytest.mark.parametrize("kind", ["race", "green"])
def test_a_suspect_that_knows_the_key_is_found_far_beyond_the_number_of_unused_keys(kind: str) -> None:
    green = None if kind == "race" else 0.25
    nulls = Nulls(make(kind, made_up(800, effect=0.5, green=green)), 99)
    known = nulls.significance(nulls.statistic.of_key(KEY))
    assert known.p_value < 1e-9
    assert known.z > 6
    assert nulls.significance(nulls.statistic.of_key(owner_key(b"distillgame", "other"))).p_value > 1e-3


def test_without_any_choice_nothing_is_said() -> None:
    for kind in KINDS:
        nulls = Nulls(make(kind, []), 9)
        assert nulls.significance(nulls.statistic.of_key(KEY)).p_value == 1.0
