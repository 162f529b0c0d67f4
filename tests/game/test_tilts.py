import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distillgame.game import kl, tilt
from distillgame.game.tilts import tilt_and_cost
from tests.game.common import random_game


@given(st.integers(0, 1000), st.floats(-30, 30))
@settings(max_examples=50, deadline=None)
def test_a_tilt_is_the_normalised_product(seed: int, strength: float) -> None:
    pi, v, _ = random_game(seed)
    expected = pi * np.exp(strength * v)
    expected /= expected.sum(1, keepdims=True)
    found, cost = tilt_and_cost(pi, v, strength)
    assert np.allclose(found, expected, atol=1e-12)
    assert np.allclose(cost, kl(expected, pi), atol=1e-9)


@pytest.mark.parametrize("strength", [1e300, -1e300, np.inf, -np.inf])
def test_an_enormous_tilt_shares_all_mass_among_the_best(strength: float) -> None:
    pi, v = np.array([0.1, 0.2, 0.3, 0.4]), np.array([1.0, 1.0, 0.0, 0.0]) * np.sign(strength)
    found, cost = tilt_and_cost(pi, v, strength)
    assert np.allclose(found, [1 / 3, 2 / 3, 0, 0])
    assert cost == pytest.approx(-np.log(0.3))


def test_outputs_of_probability_zero_keep_it() -> None:
    found = tilt(np.array([0.5, 0.5, 0.0]), np.array([0.0, 1.0, 1e9]), 2.0)
    assert found[2] == 0
    assert found.sum() == pytest.approx(1)


def test_the_cost_of_a_tiny_tilt_has_its_digits() -> None:
    """KL is strength² times the variance over 2, here 1e-20 times a quarter over 2."""
    _, cost = tilt_and_cost(np.array([0.5, 0.5]), np.array([0.0, 1.0]), 1e-10)
    assert cost == pytest.approx(1.25e-21, rel=1e-5)


def test_a_divergence_from_what_lacks_mass_is_infinite() -> None:
    assert kl(np.array([0.5, 0.5]), np.array([1.0, 0.0])) == np.inf
    assert kl(np.array([1.0, 0.0]), np.array([0.5, 0.5])) == pytest.approx(np.log(2))
