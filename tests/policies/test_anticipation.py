import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from distillgame.policies.anticipation import BINS, anticipated


def game(vocabulary: int, spread: float, seed: int, rows: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    """A reference distribution and v_gap against another one."""
    generator = torch.Generator().manual_seed(seed)
    ours, theirs = (
        torch.log_softmax(spread * torch.randn(rows, vocabulary, generator=generator), -1) for _ in range(2)
    )
    return ours, ours - theirs


def cost(log_p: np.ndarray, log_ref: np.ndarray, v: np.ndarray, eta: float, kappa: float) -> float:
    """kappa log E exp(eta v) + KL: what the anticipating teacher minimises, in float64."""
    log_p = log_p - np.logaddexp.reduce(log_p)
    p = np.exp(log_p)
    return float(kappa * np.logaddexp.reduce(log_p + eta * v) + (p * (log_p - log_ref))[p > 0].sum())


@given(
    st.integers(2, 6), st.floats(0.1, 3), st.integers(0, 10**6), st.floats(-2, 0.7), st.floats(-1, 0.7)
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_no_other_distribution_costs_less(
    vocabulary: int, spread: float, seed: int, log_eta: float, log_kappa: float
) -> None:
    """Against a general minimiser over the simplex, from every corner and the middle."""
    eta, kappa = 10**log_eta, 10**log_kappa
    log_ref, v = game(vocabulary, spread, seed)
    ours = anticipated(log_ref, v, eta, kappa)[0].double().numpy()
    reference, values = log_ref[0].double().numpy(), v[0].double().numpy()
    found = cost(ours, reference, values, eta, kappa)
    starts = [reference, *(reference - 6 * (1 - np.eye(vocabulary)[k]) for k in range(vocabulary))]
    best = min(minimize(lambda x: cost(x, reference, values, eta, kappa), start, method="BFGS").fun for start in starts)
    assert found <= best + 2e-3 * max(1, kappa)


@pytest.mark.parametrize(("vocabulary", "spread"), [(7, 2.0), (BINS, 3.0), (300, 3.0), (5000, 0.5), (5000, 5.0)])
@pytest.mark.parametrize(("eta", "kappa"), [(0.05, 5.0), (0.5, 1.0), (2.0, 0.3)])
def test_the_normaliser_is_that_of_the_released_distribution(
    vocabulary: int, spread: float, eta: float, kappa: float
) -> None:
    """exp(-kappa exp(eta v)/Z) with Z = E exp(eta v) under the very distribution that it makes."""
    log_ref, v = game(vocabulary, spread, 3, rows=6)
    log_rel = torch.log_softmax(anticipated(log_ref, v, eta, kappa).double(), -1)
    worth = (eta * v.double()).exp()
    z = (log_rel.exp() * worth).sum(-1, keepdim=True)
    expected = torch.log_softmax(log_ref.double() - kappa * worth / z, -1)
    assert torch.allclose(log_rel.exp(), expected.exp(), atol=2e-4)


@pytest.mark.parametrize("temperature", [0.05, 0.1, 0.2, 0.6])
@pytest.mark.parametrize(("eta", "kappa"), [(0.3, 20.0), (1.0, 5.0), (1.0, 20.0), (3.0, 20.0), (0.5, 100.0)])
def test_cold_teachers_and_strong_tilts_are_defended_too(temperature: float, eta: float, kappa: float) -> None:
    """Teacher and proxy that agree on much, sharpened: values of hundreds of nats. Against a float64 scan of h."""
    generator = torch.Generator().manual_seed(0)
    ours = torch.randn(100, 300, generator=generator) * 2.5
    ours[:, :4] += 9 + 2 * torch.randn(100, 4, generator=generator)
    theirs = ours + torch.randn(100, 300, generator=generator) * 1.5
    log_ref, log_stu = (torch.log_softmax(x / temperature, -1) for x in (ours, theirs))
    v = log_ref - log_stu
    released = anticipated(log_ref, v, eta, kappa)
    assert released.isfinite().all()
    for row in range(0, 100, 4):
        reference, values = log_ref[row].double().numpy(), v[row].double().numpy()
        w = np.linspace(values.min(), values.max(), 1001)[:, None]
        with np.errstate(over="ignore"):
            h = kappa * eta * w[:, 0] - np.logaddexp.reduce(reference - kappa * np.expm1(eta * (values - w)), axis=1)
        found = cost(released[row].double().numpy(), reference, values, eta, kappa)
        # Hundreds of nats: the search may end in a neighbouring minimum, but never without a defense.
        assert found <= h.min() + 1 + 0.05 * abs(h.min())


def test_of_several_such_distributions_the_cheapest_is_taken() -> None:
    """A token of .97 that a student would learn much from: keeping it and dropping it are both self-consistent."""
    log_ref = torch.tensor([[0.97, 0.03]]).log()
    v = torch.tensor([[6.0, -2.0]])
    kept, dropped = (torch.softmax(anticipated(log_ref, v, 1.0, kappa), -1)[0, 0] for kappa in (0.4, 0.6))
    assert float(kept) > 0.9
    assert float(dropped) < 0.01


def test_a_small_eta_is_the_one_sided_tilt() -> None:
    log_ref, v = game(1000, 3.0, 0, rows=4)
    passive = torch.softmax(log_ref - 0.5 * v, -1)
    errors = [
        float((torch.softmax(anticipated(log_ref, v, eta, 0.5 / eta), -1) - passive).abs().sum(-1).max())
        for eta in (1e-2, 1e-4, 1e-6)
    ]
    assert errors[0] < 0.2
    assert errors[1] < errors[0] / 50
    assert errors[2] < 1e-4


def test_nothing_is_done_without_strength() -> None:
    log_ref, v = game(9, 2.0, 0)
    assert anticipated(log_ref, v, 0.0, 1.0) is log_ref
    assert anticipated(log_ref, v, 1.0, 0.0) is log_ref


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_values_of_any_scale_are_survived(scale: float) -> None:
    log_ref, v = game(400, 4.0, 1, rows=3)
    log_ref[0, :100], v[1, 7], v[2, :350] = -torch.inf, torch.inf, torch.inf
    released = anticipated(torch.log_softmax(log_ref, -1), v * scale, 1.0, 2.0)
    assert not released.isnan().any()
    assert torch.equal(released == -torch.inf, log_ref == -torch.inf)
    assert torch.allclose(torch.softmax(released, -1).sum(-1), torch.ones(3))


def test_broken_logits_stay_broken() -> None:
    log_ref, v = game(9, 2.0, 0)
    assert anticipated(log_ref * torch.nan, v, 1.0, 1.0).isnan().any()
    assert anticipated(log_ref, v * torch.nan, 1.0, 1.0).isnan().any()
