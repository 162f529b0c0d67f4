"""Larger games end the search once starts of all kinds agree; here every game counts as large."""

import sys

import numpy as np
import pytest

from distillgame.game import make_contexts, read_game, solve
from distillgame.game.equilibrium import solve_equilibrium
from tests.game.common import droppable_game, random_game

MODULE = sys.modules["distillgame.game.equilibrium"]
"""The module, whose name in the package is its function's."""


@pytest.fixture(autouse=True)
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MODULE, "THOROUGH", 0)


def test_starts_that_agree_end_the_search() -> None:
    found = solve(read_game("two_problems")).equilibrium
    assert (found.certificate.starts, found.certificate.agreeing) == (8, 8)
    assert found.certificate.is_global


@pytest.mark.parametrize("rho", [2.0, np.inf])
@pytest.mark.parametrize("seed", range(6))
def test_starts_that_differ_do_not(seed: int, rho: float) -> None:
    """Each context may drop its one output of value: all ways to do so are compared."""
    pi, v, epsilon, best = droppable_game(seed, rho)
    found = solve_equilibrium(make_contexts(pi, v), epsilon, rho, bound=False).certificate
    assert found.value <= best + 1e-9
    assert found.starts > 8 or found.agreeing == found.starts


@pytest.mark.parametrize("seed", range(4))
def test_the_value_is_that_of_the_full_search(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    pi, v, weights = random_game(seed)
    game = make_contexts(pi, v, weights)
    early = solve_equilibrium(game, 0.3, 0.5, bound=False)
    monkeypatch.setattr(MODULE, "THOROUGH", 10_000)
    full = solve_equilibrium(game, 0.3, 0.5, bound=False)
    assert early.certificate.starts <= full.certificate.starts
    assert early.value == pytest.approx(full.value, abs=1e-6 * np.ptp(v))
