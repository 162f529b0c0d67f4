from dataclasses import dataclass

import pytest
import torch

from distillgame.policies import Distribution, Experts, ReleasePolicy, distribution, make_policy, release


def logits(rows: int, size: int, seed: int = 0) -> torch.Tensor:
    return 4 * torch.randn(rows, size, generator=torch.Generator().manual_seed(seed)) + 30


@pytest.mark.parametrize("size", [3, 256, 700])
@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.0])
def test_what_is_asked_for_is_the_softmax(size: int, temperature: float) -> None:
    x = logits(5, size)
    found, expected = Distribution(x, temperature), torch.log_softmax(x.double() / temperature, -1)
    tokens = torch.tensor([0, 1, 2, 1, 0])
    chosen = expected.gather(-1, tokens[:, None])[:, 0]
    assert torch.allclose(found.logprobs.double(), expected, atol=2e-5)
    assert torch.allclose(found.probabilities.double(), expected.exp(), atol=1e-6)
    assert torch.allclose(found.logprob(tokens).double(), chosen, atol=2e-5)
    assert torch.allclose((found.weights(tokens[:, None]) / found.total)[:, 0].double(), chosen.exp(), atol=1e-6)
    assert torch.allclose((x / temperature - found.normaliser).double(), expected, atol=5e-5)


@pytest.mark.parametrize("at_once", [1, 1400, 10**9])
def test_how_many_rows_are_worked_on_at_once_changes_nothing(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    """Seven rows of 700, one, two (and one left over) or all at once, against float64."""
    monkeypatch.setattr(distribution, "AT_ONCE", at_once)
    experts = Experts(logits(7, 700), 0.6, (logits(7, 700, 1),), (logits(7, 700, 2) - 30,), tuple(range(7)))
    for name, strength in (("poe", {"gamma": 0.4}), ("permutation", {"lambda": 0.2}), ("standard", {})):
        policy = make_policy(name, strength)
        found = release(policy, experts)
        ours = torch.log_softmax(policy.logits(experts).double() / 0.6, -1)
        theirs = torch.log_softmax(experts.teacher.double() / 0.6, -1)
        assert torch.allclose(found.released.logprobs.double(), ours, atol=5e-5)
        assert torch.allclose(found.reference.logprobs.double(), theirs, atol=5e-5)
        assert torch.allclose(found.kl.double(), (ours.exp() * (ours - theirs)).sum(-1), atol=5e-5)
        assert torch.allclose(found.kl_reverse.double(), (theirs.exp() * (theirs - ours)).sum(-1), atol=5e-5)


def test_a_divergence_is_never_negative() -> None:
    x = logits(200, 50)
    result = release(make_policy("poe", {"gamma": 1e-4}), Experts(x, 0.5, (x + 20,)))
    assert result.kl.min() >= 0
    assert result.kl_reverse.min() >= 0
    assert result.kl.max() < 1e-4


def test_at_temperature_zero_all_mass_is_on_the_likeliest_token() -> None:
    x = torch.tensor([[1.0, 3.0, 3.0], [torch.nan, 0.0, 1.0], [torch.inf, 0.0, 1.0]])
    found = Distribution(x, 0.0)
    assert found.probabilities[0].tolist() == [0, 1, 0]
    assert found.logprob(x.argmax(-1)).isnan().tolist() == [False, True, True]


@pytest.mark.parametrize("broken", [torch.nan, torch.inf])
def test_one_broken_number_makes_its_row_not_a_number_and_leaves_others(broken: float) -> None:
    x = logits(3, 40)
    x[1, 7] = broken
    found = Distribution(x, 0.7).logprob(torch.tensor([0, 0, 0]))
    assert found.isnan().tolist() == [False, True, False]


@pytest.mark.parametrize("gamma", [0.3, 0.5, 0.7])
@pytest.mark.parametrize("excluding", ["teacher", "proxy", "both"])
def test_a_token_that_an_expert_excludes_is_excluded_and_breaks_nothing(gamma: float, excluding: str) -> None:
    teacher, proxy = logits(2, 40), logits(2, 40, 1)
    if excluding != "proxy":
        teacher[0, 3] = -torch.inf
    if excluding != "teacher":
        proxy[0, 3] = -torch.inf
    result = release(make_policy("poe", {"gamma": gamma}), Experts(teacher, 0.6, (proxy,)))
    assert result.released.probabilities[0, 3] == 0
    assert result.released.logprob(torch.tensor([1, 1])).isfinite().all()
    assert result.kl.isfinite().all()
    assert (result.kl_reverse[0] == torch.inf) == (excluding == "proxy")


@dataclass(frozen=True)
class _Gate(ReleasePolicy):
    """Changes something only if the first token of a row is above 30: a policy may leave some rows alone."""

    name = "gate"

    def logits(self, experts: Experts) -> torch.Tensor:
        gate = experts.teacher[:, :1] > 30
        return torch.where(gate, -experts.teacher, experts.teacher) if gate.any() else experts.teacher


@pytest.mark.parametrize("at_once", [1, 10**9])
def test_rows_that_a_policy_leaves_alone_leave_others_defended(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    monkeypatch.setattr(distribution, "AT_ONCE", at_once)
    for order in ([29.0, 31.0, 29.0], [31.0, 29.0, 29.0]):
        x = logits(3, 20)
        x[:, 0] = torch.tensor(order)
        found = release(_Gate(), Experts(x, 1.0))
        assert (found.kl > 0.1).tolist() == [first > 30 for first in order]


def test_a_nearly_certain_token_at_a_low_temperature_has_its_log_probability() -> None:
    x = torch.tensor([[30.1, 20.0, 10.0]])
    for temperature in (1e-2, 1e-6):
        assert float(Distribution(x, temperature).logprob(torch.tensor([0]))) == 0
        found = release(make_policy("poe", {"gamma": 0.5}), Experts(x, temperature, (x + 7,)))
        assert float(found.kl) == 0


def test_logits_with_gradients_are_taken_as_numbers() -> None:
    x = logits(2, 3000).requires_grad_()
    assert not release(make_policy("poe", {"gamma": 0.5}), Experts(x, 1.0, (x + 1,))).kl.requires_grad
