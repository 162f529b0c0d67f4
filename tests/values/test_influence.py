"""Influence against brute force, and against the effect of the step that it stands for."""

import copy
from collections.abc import Sequence

import pytest
import torch

from distillgame.models import Example, LanguageModel
from distillgame.values import (
    collate,
    heldout_drops,
    mean_logprob,
    objective_gradient,
    preconditioned,
    second_moments,
    trainable,
    v_grad_difference,
)
from distillgame.values.influence import DAMPING

OBJECTIVE = [Example((5, 6), (20, 21, 22)), Example((7,), (23, 24)), Example((8, 9, 10), (25,))]
RELEASED = [Example((5 + k, 6), tuple(20 + (3 * k + j) % 40 for j in range(1 + k % 4))) for k in range(8)]


def gradients(model: LanguageModel, examples: Sequence[Example]) -> list[torch.Tensor]:
    """Return the gradient of the mean negative log-likelihood of a batch, parameter by parameter."""
    loss = -mean_logprob(model.model, collate(examples, 0)).mean()
    return list(torch.autograd.grad(loss, list(trainable(model.model).values())))


def test_second_moments_are_means_of_squared_gradients(teacher: LanguageModel) -> None:
    batches = RELEASED[:4], RELEASED[4:]
    moments = second_moments(teacher.model, [collate(batch, 0) for batch in batches])
    for moment, first, second in zip(moments.values(), *(gradients(teacher, batch) for batch in batches), strict=True):
        assert torch.allclose(moment, (first.square() + second.square()) / 2, atol=1e-9)


def test_a_preconditioned_direction_has_unit_norm_and_is_divided_by_the_damped_root() -> None:
    direction = {"a": torch.tensor([3.0, 0.0]), "b": torch.tensor([4.0])}
    moments = {"a": torch.tensor([4.0, 1.0]), "b": torch.tensor([1.0])}
    damping = DAMPING * 2**0.5
    expected = torch.tensor([3 / (2 + damping), 0.0, 4 / (1 + damping)])
    found = preconditioned(direction, moments)
    assert torch.allclose(torch.cat([found["a"], found["b"]]), expected / expected.norm())


def test_a_small_step_lowers_the_objective_by_its_influence(teacher: LanguageModel) -> None:
    """To first order, the drop is the value along the preconditioned direction, times the rate and two norms."""
    network = teacher.model
    before = copy.deepcopy(network.state_dict())
    objective = [collate(OBJECTIVE[:2], 0), collate(OBJECTIVE[2:], 0)]
    moments = second_moments(network, [collate(RELEASED[:4], 0), collate(RELEASED[4:], 0)])
    singles = [collate([each], 0) for each in RELEASED]
    drops = list(heldout_drops(network, singles, objective, moments, 1e-6))
    direction = preconditioned(objective_gradient(network, objective), moments)
    values = v_grad_difference(network, collate(RELEASED, 0), direction, 1e-3).tolist()
    (scale,) = {round(drop / value, 12) for drop, value in zip(drops[:1], values[:1], strict=True)}
    assert scale > 0
    assert drops == pytest.approx([scale * value for value in values], rel=0.2, abs=0.05 * max(map(abs, drops)))
    assert all(torch.equal(network.state_dict()[name], tensor) for name, tensor in before.items())


def test_a_step_on_the_objective_itself_lowers_it(teacher: LanguageModel) -> None:
    batch = collate(OBJECTIVE, 0)
    moments = second_moments(teacher.model, [batch])
    (drop,) = heldout_drops(teacher.model, [batch], [batch], moments, 1e-4)
    assert drop > 0
