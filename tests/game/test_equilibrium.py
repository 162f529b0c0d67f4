import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distillgame.game import (
    equilibrium,
    kl,
    make_contexts,
    read_game,
    solve,
    student_best_response,
    teacher_best_response,
    value,
)
from distillgame.game.bound import lower_bound
from distillgame.game.equilibrium import _normalised, solve_equilibrium
from tests.game.common import constrained, droppable_game, game_value, random_game

BUDGETS = [(0.05, 0.05), (0.3, 0.1), (0.1, 0.5), (0.8, 1.2)]


@given(st.integers(0, 10_000), st.one_of(st.floats(0.0, 3.0), st.sampled_from([1e-200, 1e-30, 1e-12])))
@settings(max_examples=40, deadline=None)
def test_the_inner_problem_has_no_duality_gap(seed: int, rho: float) -> None:
    """The dual value bounds every student from above, so that no gap means the best student was found."""
    pi, v, weights = random_game(seed)
    found = value(pi, v, rho, weights)
    assert found.gap < 1e-9
    rng = np.random.default_rng(seed)
    for _ in range(20):
        other = student_best_response(pi, rng.normal(size=v.shape) + 2 * v, rho, weights).pi
        assert float(weights @ (other * v).sum(1)) <= found.dual_value + 1e-9


@pytest.mark.parametrize(("epsilon", "rho"), BUDGETS)
@pytest.mark.parametrize("seed", range(3))
def test_brute_force_finds_no_better_teacher(seed: int, epsilon: float, rho: float) -> None:
    """SLSQP on softmax parameters from six starts; it cannot reach dropped outputs exactly, hence the tolerance."""
    pi, v, weights = random_game(seed)
    found = equilibrium(pi, v, epsilon, rho, weights)
    brute = constrained(game_value(v, rho, weights), pi, weights, epsilon, 6, seed)
    assert found.value <= brute + 1e-5 * np.ptp(v)
    assert found.certificate.lower_bound is not None
    assert found.certificate.lower_bound <= brute + 1e-9


@given(st.integers(0, 10_000), st.sampled_from(BUDGETS))
@settings(max_examples=12, deadline=None)
def test_a_certificate_is_true(seed: int, budgets: tuple[float, float]) -> None:
    pi, v, weights = random_game(seed)
    epsilon, rho = budgets
    found = equilibrium(pi, v, epsilon, rho, weights)
    certificate = found.certificate
    assert float(weights @ kl(found.pi_rel, pi)) <= epsilon + 1e-8
    assert float(weights @ kl(found.pi_eff, found.pi_rel)) <= rho + 1e-8
    assert found.value == pytest.approx(float(weights @ (found.pi_eff * v).sum(1)), abs=1e-8)
    assert certificate.inner_gap < 1e-7 * np.ptp(v)
    assert certificate.lower_bound is not None
    assert certificate.lower_bound <= found.value + 1e-9
    assert found.value <= value(teacher_best_response(pi, v, epsilon, weights).pi, v, rho, weights).value + 1e-9
    if certificate.kkt_residual < 1e-9 and np.isfinite(found.kappa):
        z = (found.pi_rel * np.exp(found.eta * v)).sum(1, keepdims=True)
        expected = pi * np.exp(-found.kappa * np.exp(found.eta * v) / z)
        assert np.allclose(found.pi_rel, expected / expected.sum(1, keepdims=True), atol=1e-6)
        assert found.tilt == pytest.approx(found.kappa * found.eta)


@given(st.integers(0, 10_000), st.sampled_from(BUDGETS))
@settings(max_examples=8, deadline=None)
def test_no_teacher_is_below_the_lower_bound(seed: int, budgets: tuple[float, float]) -> None:
    """Random teachers within the budget, and those that respond to random values."""
    pi, v, weights = random_game(seed)
    epsilon, rho = budgets
    game, scale, offset = _normalised(make_contexts(pi, v, weights))
    low = lower_bound(game, epsilon, rho, 0.0)
    assert low is not None
    rng = np.random.default_rng(seed)
    for _ in range(40):
        teacher = teacher_best_response(pi, rng.normal(size=v.shape) + rng.choice([0, 2]) * v, epsilon, weights).pi
        assert value(teacher, v, rho, weights).value >= offset + scale * low - 1e-9


@pytest.mark.parametrize("seed", range(12))
def test_a_single_context_is_solved_to_the_end(seed: int) -> None:
    """There the bound shows that the search missed nothing: to 1e-4, or a few thousandths at an infinite eta."""
    pi, v, _ = random_game(seed, contexts=1, outputs=5)
    for epsilon, rho in BUDGETS:
        certificate = equilibrium(pi, v, epsilon, rho).certificate
        assert certificate.lower_bound is not None
        assert certificate.is_global or not certificate.rho_active
        assert certificate.value - certificate.lower_bound <= 4e-3 * np.ptp(v)


def test_value_rises_with_rho_and_falls_with_epsilon() -> None:
    pi, v, weights = random_game(5)
    budgets = [0.0, 0.01, 0.2, 2.0]
    game = make_contexts(pi, v, weights)
    grid = np.array([[solve_equilibrium(game, e, r, bound=False).value for r in budgets] for e in budgets])
    assert (np.diff(grid, axis=0) <= 1e-8).all()
    assert (np.diff(grid, axis=1) >= -1e-8).all()


def test_without_a_budget_of_the_students_it_is_the_one_sided_teacher() -> None:
    pi, v, weights = random_game(6)
    found, one_sided = equilibrium(pi, v, 0.2, 0, weights), teacher_best_response(pi, v, 0.2, weights)
    assert np.allclose(found.pi_rel, one_sided.pi, atol=1e-9)
    assert found.tilt == pytest.approx(one_sided.dual)
    assert np.isnan(found.kappa)
    assert found.certificate.is_global


def test_as_the_students_budget_vanishes_the_teacher_becomes_the_one_sided_one() -> None:
    pi, v, weights = random_game(7)
    found, one_sided = equilibrium(pi, v, 0.2, 1e-6, weights), teacher_best_response(pi, v, 0.2, weights)
    assert np.allclose(found.pi_rel, one_sided.pi, atol=1e-2)
    assert found.tilt == pytest.approx(one_sided.dual, rel=0.02)


def test_without_a_budget_of_the_teachers_it_is_the_reference() -> None:
    pi, v, weights = random_game(8)
    found = equilibrium(pi, v, 0, 0.3, weights)
    assert np.allclose(found.pi_rel, pi)
    assert found.value == pytest.approx(student_best_response(pi, v, 0.3, weights).value)
    assert found.certificate.is_global


def test_with_budgets_too_large_to_be_active_only_the_worst_outputs_are_left() -> None:
    pi, v, weights = random_game(9)
    found = equilibrium(pi, v, 100.0, 100.0, weights)
    assert found.value == pytest.approx(float(weights @ v.min(1)), abs=1e-9)
    assert not found.certificate.epsilon_active
    assert not found.certificate.rho_active


def test_anticipation_is_strictly_better_in_the_shipped_example() -> None:
    found = solve(read_game("two_problems"))
    assert found.equilibrium.value < found.teacher_value - 1e-3 < found.student.value
    assert found.equilibrium.certificate.is_global


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_values_of_any_scale_have_the_same_equilibrium(scale: float) -> None:
    pi, v, weights = random_game(10)
    expected, found = equilibrium(pi, v, 0.2, 0.1, weights), equilibrium(pi, v * scale, 0.2, 0.1, weights)
    assert np.allclose(found.pi_rel, expected.pi_rel, atol=1e-6)
    assert found.value / scale == pytest.approx(expected.value, rel=1e-6)


def test_zeros_ties_and_ragged_outputs() -> None:
    found = equilibrium([[0.5, 0.5, 0.0], [0.3, 0.7]], [[1.0, 1.0, 5.0], [0.0, 2.0]], 0.2, 0.1)
    assert found.pi_rel[0, 2] == 0
    assert found.pi_rel[0, :2] == pytest.approx([0.5, 0.5])
    assert found.certificate.epsilon_spent == pytest.approx(0.2)


@pytest.mark.parametrize("rho", [2.0, 40.0, np.inf])
@pytest.mark.parametrize("seed", range(6))
def test_against_a_student_of_large_budget_the_right_outputs_are_dropped(seed: int, rho: float) -> None:
    """Each context may drop its one output of value: all ways to do so are compared."""
    pi, v, epsilon, best = droppable_game(seed, rho)
    found = equilibrium(pi, v, epsilon, rho)
    assert found.value <= best + 1e-9
    assert found.certificate.lower_bound is not None
    assert found.certificate.lower_bound <= best + 1e-9
    assert found.certificate.epsilon_spent == pytest.approx(float(kl(found.pi_rel, pi).mean()), abs=1e-9)


def test_a_context_that_hardly_counts_does_not_make_a_bound_look_close() -> None:
    pi, v = [[0.23, 0.77], [0.11, 0.89], [0.5, 0.5]], [[0.23, 0.0], [0.85, 0.0], [1e6, 0.0]]
    certificate = equilibrium(pi, v, 0.1, 1.0, [1.0, 1.0, 1e-12]).certificate
    assert certificate.lower_bound is not None
    assert not certificate.is_global or certificate.value - certificate.lower_bound < 1e-3


def test_a_vanishing_budget_of_the_students_leaves_a_true_certificate() -> None:
    found = equilibrium([[0.5, 0.3, 0.2], [0.2, 0.8]], [[1, 0.5, 0], [0.3, 0.9]], 0.1, 1e-40)
    assert found.certificate.epsilon_spent == pytest.approx(0.1)
    assert found.certificate.kkt_residual < 1e-6
    assert np.isfinite(found.tilt)
