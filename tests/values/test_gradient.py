import copy

import pytest
import torch

from distillgame.errors import DistillgameError
from distillgame.models import Example, LanguageModel
from distillgame.values import (
    collate,
    mean_logprob,
    moved,
    objective_gradient,
    trainable,
    v_grad_difference,
    v_grad_jvp,
)

OBJECTIVE = [Example((5, 6), (20, 21, 22)), Example((7,), (23, 24)), Example((8, 9, 10), (25,))]
RELEASED = [Example((5 + k, 6), tuple(20 + (3 * k + j) % 40 for j in range(1 + k % 4))) for k in range(12)]


@pytest.fixture(scope="module")
def model(teacher: LanguageModel) -> torch.nn.Module:
    plain: torch.nn.Module = copy.deepcopy(teacher.model)
    plain.set_attn_implementation("eager")  # type: ignore[operator]
    return plain


def test_values_equal_minus_the_inner_product_of_per_example_gradients(model: torch.nn.Module) -> None:
    """The definition, term by term, against the two shortcuts."""
    direction = objective_gradient(model, [collate(OBJECTIVE, 0)])
    parameters = list(trainable(model).values())
    expected = []
    for example in RELEASED:
        gradients = torch.autograd.grad(mean_logprob(model, collate([example], 0)).sum(), parameters)
        expected.append(-sum(float((g * direction[n]).sum()) for n, g in zip(trainable(model), gradients, strict=True)))
    batch = collate(RELEASED, 0)
    assert v_grad_jvp(model, batch, direction).tolist() == pytest.approx(expected, rel=1e-3, abs=1e-3)
    central = v_grad_difference(model, batch, direction, 1e-3)
    assert central.tolist() == pytest.approx(expected, rel=0.02, abs=0.02)
    with torch.no_grad():
        known = mean_logprob(model, batch)
    one_sided = v_grad_difference(model, batch, direction, 1e-3, at_theta=known)
    assert one_sided.tolist() == pytest.approx(expected, rel=0.1, abs=0.1)


def test_the_objective_gradient_is_the_unit_norm_gradient_of_the_mean_over_examples(model: torch.nn.Module) -> None:
    batches = [collate(OBJECTIVE[:1], 0), collate(OBJECTIVE[1:], 0)]
    direction = objective_gradient(model, batches)
    losses = [-mean_logprob(model, collate([example], 0)).sum() for example in OBJECTIVE]
    gradients = torch.autograd.grad(torch.stack(losses).mean(), list(trainable(model).values()))
    norm = torch.sqrt(torch.stack([g.square().sum() for g in gradients]).sum())
    for name, gradient in zip(trainable(model), gradients, strict=True):
        assert torch.allclose(direction[name], gradient / norm, atol=1e-5)


def test_the_objective_gradient_does_not_touch_accumulated_gradients(model: torch.nn.Module) -> None:
    for parameter in model.parameters():
        parameter.grad = torch.full_like(parameter, 2.0)
    objective_gradient(model, [collate(OBJECTIVE, 0)])
    assert all(bool((p.grad == 2.0).all()) for p in model.parameters() if p.grad is not None)
    model.zero_grad()


def test_a_step_against_g_raises_the_likelihood_of_high_values_most(model: torch.nn.Module) -> None:
    """v is the rate at which descending L raises log pi: the sign that published code had wrong."""
    direction = objective_gradient(model, [collate(OBJECTIVE, 0)])
    batch = collate(RELEASED, 0)
    values = v_grad_jvp(model, batch, direction)
    with torch.no_grad():
        rise = mean_logprob(model, batch, moved(model, direction, -1e-3)) - mean_logprob(model, batch)
    assert float(torch.corrcoef(torch.stack([values, rise]))[0, 1]) > 0.99


def train_on(model: torch.nn.Module, examples: list[Example], rate: float, steps: int) -> torch.nn.Module:
    trained = copy.deepcopy(model)
    for _ in range(steps):
        trained.zero_grad()
        torch.autograd.backward(-mean_logprob(trained, collate(examples, 0)).mean())
        with torch.no_grad():
            for parameter in trained.parameters():
                if parameter.grad is not None:
                    parameter.add_(parameter.grad, alpha=-rate)
    return trained


def test_training_on_the_high_value_half_lowers_the_objective_more(model: torch.nn.Module) -> None:
    direction = objective_gradient(model, [collate(OBJECTIVE, 0)])
    values = v_grad_jvp(model, collate(RELEASED, 0), direction)
    order = values.argsort().tolist()
    low, high = ([RELEASED[i] for i in part] for part in (order[:6], order[6:]))

    def objective(trained: torch.nn.Module) -> float:
        with torch.no_grad():
            return float(-mean_logprob(trained, collate(OBJECTIVE, 0)).mean())

    after_high = objective(train_on(model, high, 1e-3, 3))
    after_low = objective(train_on(model, low, 1e-3, 3))
    assert after_high < after_low
    assert after_high < objective(model)


def test_an_objective_without_gradient_is_refused(model: torch.nn.Module) -> None:
    broken = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in broken.parameters():
            parameter.fill_(torch.nan)
    with pytest.raises(DistillgameError, match="gradient has norm nan"):
        objective_gradient(broken, [collate(OBJECTIVE, 0)])
