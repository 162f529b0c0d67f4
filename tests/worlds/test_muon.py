import pytest
import torch

from distillgame.worlds.muon import Muon, orthogonal


@pytest.mark.parametrize("shape", [(8, 8), (20, 6), (6, 20)])
def test_an_update_has_the_same_singular_vectors_and_singular_values_near_one(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    matrix = torch.randn(shape)
    u, s, v = torch.linalg.svd(matrix, full_matrices=False)
    rotated = u.T @ orthogonal(matrix) @ v.T
    values = rotated.diagonal()
    assert torch.allclose(rotated, torch.diag(values), atol=1e-4)
    assert ((values > 0.6) & (values < 1.25))[s / s[0] > 0.05].all()


def test_its_steps_are_those_of_torch_up_to_half_precision() -> None:
    torch.manual_seed(0)
    first = torch.nn.Parameter(torch.randn(12, 5))
    second = torch.nn.Parameter(first.detach().clone())
    ours, theirs = Muon([first], 0.02), torch.optim.Muon([second], lr=0.02, momentum=0.95, weight_decay=0.0)
    for _ in range(5):
        gradient = torch.randn(12, 5)
        for parameter, optimizer in ((first, ours), (second, theirs)):
            before = parameter.detach().clone()
            parameter.grad = gradient.clone()
            optimizer.step()
            moved = (parameter - before).norm()
            assert moved > 0.01
        assert torch.allclose(first, second, atol=0.05 * 0.02 * 5)


def test_a_matrix_without_gradient_stays() -> None:
    parameter = torch.nn.Parameter(torch.ones(3, 3))
    Muon([parameter], 0.1).step()
    assert torch.equal(parameter, torch.ones(3, 3))
