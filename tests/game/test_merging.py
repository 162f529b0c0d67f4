import sys

import numpy as np
import pytest

from distillgame.game import kl, make_contexts
from distillgame.game.equilibrium import solve_equilibrium
from distillgame.game.merging import merge, unmerge
from distillgame.game.responses import respond

MODULE = sys.modules["distillgame.game.equilibrium"]


def many_outputs(seed: int, contexts: int = 3, outputs: int = 60) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.full(outputs, 0.3), size=contexts), rng.normal(size=(contexts, outputs))


def test_merging_keeps_mass_and_mean_value() -> None:
    pi, v = many_outputs(0)
    small, part = merge(make_contexts(pi, v), 8)
    assert small.pi.shape == (3, 8)
    assert small.pi.sum(1) == pytest.approx(np.ones(3))
    assert (small.pi * small.v).sum(1) == pytest.approx((pi * v).sum(1))
    assert (np.abs(np.take_along_axis(small.v, part, 1) - v) <= np.ptp(v, axis=1)[:, None] / 8 + 1e-12).all()


def test_unmerging_keeps_the_divergence() -> None:
    pi, v = many_outputs(1)
    game = make_contexts(pi, v)
    small, part = merge(game, 8)
    teacher = respond(small, 0.3, -1).pi
    split = unmerge(game, small, teacher, part)
    assert split.sum(1) == pytest.approx(np.ones(3))
    assert kl(split, game.pi) == pytest.approx(kl(teacher, small.pi))


def test_padding_and_dropped_outputs_stay_without_mass() -> None:
    game = make_contexts([[0.5, 0.5], [0.2, 0.3, 0.5]], [[1.0, 2.0], [3.0, 3.0, 3.0]])
    small, part = merge(game, 2)
    assert small.pi == pytest.approx(np.array([[0.5, 0.5], [1.0, 0.0]]))
    assert unmerge(game, small, np.array([[1.0, 0.0], [1.0, 0.0]]), part) == pytest.approx(
        np.array([[1.0, 0.0, 0.0], [0.2, 0.3, 0.5]])
    )


@pytest.mark.parametrize(("epsilon", "rho"), [(0.5, 0.1), (0.1, 0.5), (0.8, 1.2)])
@pytest.mark.parametrize("seed", range(3))
def test_a_merged_search_ends_where_the_full_one_does(
    seed: int, epsilon: float, rho: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    game = make_contexts(*many_outputs(seed))
    full = solve_equilibrium(game, epsilon, rho, bound=False)
    monkeypatch.setattr(MODULE, "SMALL", 0)
    monkeypatch.setattr(sys.modules["distillgame.game.merging"], "OUTPUTS", 48)
    merged = solve_equilibrium(game, epsilon, rho, bound=False)
    assert merged.value == pytest.approx(full.value, abs=1e-5 * np.ptp(game.v))
    assert merged.certificate.epsilon_spent == pytest.approx(epsilon)
    assert merged.certificate.kkt_residual < 1e-3
