import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distillgame.errors import DistillgameError
from distillgame.game import kl, make_contexts, student_best_response, teacher_best_response, value
from distillgame.game.responses import LARGEST, respond
from distillgame.game.value import slopes
from tests.game.common import constrained, expected_value, random_game


@given(st.integers(0, 10_000), st.sampled_from([1e-4, 0.02, 0.3, 1.0]))
@settings(max_examples=20, deadline=None)
def test_brute_force_finds_no_better_response_and_duality_says_there_is_none(seed: int, budget: float) -> None:
    pi, v, weights = random_game(seed)
    student = student_best_response(pi, v, budget, weights)
    teacher = teacher_best_response(pi, v, budget, weights)
    assert student.value >= -constrained(expected_value(v, weights, -1), pi, weights, budget, 4, seed) - 1e-6
    assert teacher.value <= constrained(expected_value(v, weights), pi, weights, budget, 4, seed) + 1e-6
    upper, lower = value(pi, v, budget, weights).dual_value, -value(pi, -v, budget, weights).dual_value
    assert student.value == pytest.approx(upper, abs=1e-9)
    assert teacher.value == pytest.approx(lower, abs=1e-9)


@given(st.integers(0, 10_000), st.floats(1e-9, 3.0))
@settings(max_examples=60, deadline=None)
def test_the_budget_is_spent_in_full_or_is_not_active(seed: int, budget: float) -> None:
    pi, v, weights = random_game(seed, contexts=3, outputs=5)
    found = student_best_response(pi, v, budget, weights)
    spent = float(weights @ kl(found.pi, pi))
    assert found.spent == pytest.approx(spent, rel=1e-6, abs=1e-15)
    assert found.active == np.isfinite(found.dual)
    if found.active:
        assert found.spent == pytest.approx(budget, rel=1e-9)
    else:
        assert found.spent <= budget
        assert found.value == pytest.approx(float(weights @ v.max(1)))


def test_a_closed_form() -> None:
    """Two outputs of one half, values 0 and 1: the tilted coin has KL = log 2 - H(p)."""
    p = 0.8
    budget = np.log(2) + p * np.log(p) + (1 - p) * np.log(1 - p)
    found = student_best_response([[0.5, 0.5]], [[0.0, 1.0]], budget)
    assert found.pi[0, 1] == pytest.approx(p)
    assert found.dual == pytest.approx(np.log(p / (1 - p)))
    assert found.value == pytest.approx(p)


def test_a_budget_of_zero_changes_nothing() -> None:
    pi, v, weights = random_game(0)
    found = teacher_best_response(pi, v, 0, weights)
    assert np.array_equal(found.pi, pi / pi.sum(1, keepdims=True))
    assert (found.dual, found.spent) == (0, 0)


@pytest.mark.parametrize("scale", [1e-300, 1e-12, 1.0, 1e12, 1e299])
def test_values_of_any_scale_give_the_same_response(scale: float) -> None:
    pi, v = np.array([[0.2, 0.3, 0.5]]), np.array([[-1.0, 0.4, 1.0]])
    expected = student_best_response(pi, v, 0.1)
    found = student_best_response(pi, v * scale, 0.1)
    assert np.allclose(found.pi, expected.pi, atol=1e-9)
    assert found.value / scale == pytest.approx(expected.value, rel=1e-9)


def test_offsets_of_contexts_change_nothing() -> None:
    pi, v, weights = random_game(3, contexts=3)
    shifted = v + np.array([[0.0], [1e6], [-1e6]])
    assert np.allclose(
        student_best_response(pi, v, 0.2, weights).pi, student_best_response(pi, shifted, 0.2, weights).pi, atol=1e-6
    )


def test_ties_share_and_constant_values_leave_nothing_to_do() -> None:
    tied = student_best_response([[0.2, 0.3, 0.5]], [[1.0, 1.0, 0.0]], 10.0)
    assert np.allclose(tied.pi, [[0.4, 0.6, 0]])
    constant = student_best_response([[0.2, 0.8]], [[3.0, 3.0]], 0.1)
    assert np.allclose(constant.pi, [[0.2, 0.8]])
    assert not constant.active
    assert constant.spent == 0


def test_contexts_may_have_different_numbers_of_outputs_and_none_may_count() -> None:
    ragged = student_best_response([[0.5, 0.5], [0.2, 0.3, 0.5]], [[0.0, 1.0], [2.0, 1.0, 0.0]], 0.1)
    padded = student_best_response(
        np.array([[0.5, 0.5, 0.0], [0.2, 0.3, 0.5]]), np.array([[0.0, 1.0, 99.0], [2.0, 1.0, 0.0]]), 0.1
    )
    assert np.allclose(ragged.pi, padded.pi)
    alone = student_best_response([[0.5, 0.5], [0.2, 0.8]], [[0.0, 1.0], [0.0, 1e9]], 0.1, [1.0, 0.0])
    assert alone.value == pytest.approx(student_best_response([[0.5, 0.5]], [[0.0, 1.0]], 0.1).value)


def test_a_thousand_contexts_of_a_thousand_outputs_are_solved() -> None:
    rng = np.random.default_rng(0)
    pi, v = rng.dirichlet(np.ones(1000), 1000), rng.normal(size=(1000, 1000))
    found = teacher_best_response(pi, v, 0.5)
    assert found.spent == pytest.approx(0.5, rel=1e-9)


@pytest.mark.parametrize(
    ("pi", "v", "budget", "weights", "message"),
    [
        ([[0.5, 0.4]], [[0, 1]], 1, None, "pi_ref[0]: probabilities must sum to 1 (found 0.9)"),
        ([[1.5, -0.5]], [[0, 1]], 1, None, "pi_ref[0][1]: must not be negative (found -0.5)"),
        ([[0.5, float("nan")]], [[0, 1]], 1, None, "pi_ref[0][1]: must be a finite number (found nan)"),
        ([[0.5, 0.5]], [[0, float("inf")]], 1, None, "v[0][1]: must be a finite number (found inf)"),
        ([[0.5, 0.5]], [[0, "x"]], 1, None, "v[0][1]: must be a number (found 'x')"),
        ([[0.5, 0.5]], [[0, 1, 2]], 1, None, "pi_ref and v are of different shapes: 2 and 3 outputs in context 0"),
        ([[0.5, 0.5], []], [[0, 1]], 1, None, "pi_ref[1]: must be a list of at least one number (found [])"),
        ([], [], 1, None, "pi_ref must have at least one context"),
        ([[0.5, 0.5]], [[0, 1]], -0.1, None, "epsilon must be a number of nats, at least 0 (found -0.1)"),
        ([[0.5, 0.5]], [[0, 1]], float("nan"), None, "epsilon must be a number of nats, at least 0 (found nan)"),
        ([[0.5, 0.5]], [[0, 1]], "much", None, "epsilon must be a number of nats, at least 0 (found 'much')"),
        ([[0.5, 0.5]], [[0, 1]], 1, [-1.0], "weights[0]: must be a number of at least 0 (found -1)"),
        ([[0.5, 0.5]], [[0, 1]], 1, [1.0, 2.0], "weights must have one number for each of 1 contexts (found 2)"),
        ([[0.5, 0.5]], [[0, 1]], 1, [True], "weights[0]: must be a number (found 'True')"),
        ([[0.5, 0.5]], [[0, 2e300]], 1, None, "v[0][1]: must be a finite number (found 2e+300)"),
        ([[0.5, 0.5]], [[0, 10**400]], 1, None, "v[0][1]: must be a finite number (found one of 401 digits)"),
        ([[1e299, 1e299]], [[0, 1]], 1, None, "pi_ref[0][0]: must not be above 1 (found 1e+299)"),
        ([[0.5, 0.5]], [[0, 1]], 1, [0.0], "weights: at least one must be above 0"),
    ],
)
def test_bad_games_are_named(pi: list, v: list, budget: float, weights: list | None, message: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(DistillgameError) as caught:
        teacher_best_response(pi, v, budget, weights)
    assert message in str(caught.value)


def test_a_budget_is_spent_however_far_apart_the_values_are() -> None:
    """Values of hundreds of decades, as the slopes of V are: the cost is flat over most tilts, and jumps."""
    rng = np.random.default_rng(0)
    for _ in range(400):
        n, m = rng.integers(1, 5), rng.integers(2, 7)
        pi, v = rng.dirichlet(np.full(m, rng.choice([0.05, 0.3, 1.5])), n), -rng.random((n, m))
        v[:, 0] = 0
        game = slopes(make_contexts(pi, v), pi, float(10 ** rng.uniform(-1, 4)))
        budget = respond(game, np.inf, -1).spent * rng.random()
        found = respond(game, budget, -1)
        scale = float((game.v.max(1) - np.where(pi > 0, game.v, np.inf).min(1)).max())
        if budget > 0 and np.log(found.dual) + np.log(scale) < LARGEST - 1:
            assert found.spent == pytest.approx(budget, rel=1e-7, abs=1e-12)
        assert found.spent <= budget + 1e-9
