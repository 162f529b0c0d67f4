"""No false accusation: statistics and p-values against brute force and over thousands of keys."""

import itertools
import math

import numpy as np
import pytest
from scipy.stats import binom, kstest

from distillgame.attribution import (
    GreenStatistic,
    Nulls,
    Position,
    RaceStatistic,
    Statistic,
    chernoff,
)
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


@pytest.mark.parametrize("kind", ["race", "green"])
def test_the_bound_is_above_the_exact_tail(kind: str) -> None:
    """All outcomes of five contexts of two tokens."""
    generator = np.random.default_rng(1)
    positions = []
    for place in range(5):
        share = generator.uniform(0.1, 0.9)
        reference = np.array([share, 1 - share])
        preference = generator.normal(0, 1, 2)
        preference -= (reference * preference).sum()
        positions.append(Position((place,), 1, np.arange(2), reference, preference))
    statistic = make(kind, positions)
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
    for value, _ in outcomes:
        tail = sum(mass for other, mass in outcomes if other >= value - 1e-12)
        assert tail <= chernoff(statistic, value) * (1 + 1e-9)
    most = max(value for value, _ in outcomes)
    assert chernoff(statistic, most) < 0.5
    assert chernoff(statistic, -1.0) == chernoff(statistic, 0.0) == 1.0


@pytest.mark.parametrize("kind", ["race", "green", "salted race"])
def test_two_thousand_unknown_keys_give_uniform_p_values_and_no_accusation(kind: str) -> None:
    """At 1e-3 at most as many as 1e-3 explains (one-sided binomial, false-alarm rate 1e-4); the body is uniform."""
    nulls = Nulls(make(kind, made_up(300)))
    found = [nulls.significance(nulls.statistic.of_key(owner_key(b"null", str(i)))) for i in range(2000)]
    below = sum(each.p_value <= 1e-3 for each in found)
    assert binom.sf(below - 1, 2000, 1e-3) > 1e-4
    # Unused keys are 999, so that their own scatter adds to that of the keys: the distance of two samples, at 1e-6.
    assert kstest([each.unused for each in found], "uniform").statistic < 2.7 * math.sqrt(1 / 999 + 1 / 2000)
    for level in (0.01, 0.05):
        rate = sum(each.p_value <= level for each in found) / 2000
        assert rate < level + 5 * math.sqrt(level * (1 - level) * (1 / 999 + 1 / 2000))


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
