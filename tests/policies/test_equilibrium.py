import pytest
import torch

from distillgame.policies import Experts, make_policy, release


def experts(temperature: float = 0.6, vocabulary: int = 50, proxies: int = 1) -> Experts:
    generator = torch.Generator().manual_seed(5)

    def draw() -> torch.Tensor:
        return 3 * torch.randn(4, vocabulary, generator=generator)

    return Experts(draw(), temperature, tuple(draw() for _ in range(proxies)), tuple(draw() for _ in range(proxies)))


@pytest.mark.parametrize("temperature", [0.6, 1.0, 0.05])
def test_against_a_passive_student_gap_is_poe_and_grad_is_ads(temperature: float) -> None:
    """eta -> 0 with kappa·eta held at gamma, or lambda."""
    given, eta = experts(temperature), 1e-5
    for name, passive in (("equilibrium_gap", ("poe", {"gamma": 0.4})), ("equilibrium_grad", ("ads", {"lambda": 0.4}))):
        ours = release(make_policy(name, {"eta": eta, "kappa": 0.4 / eta}), given).released.probabilities
        theirs = release(make_policy(*passive), given).released.probabilities
        assert torch.allclose(ours, theirs, atol=2e-3), name


def test_an_anticipated_student_gains_less_than_from_poe_at_the_same_cost() -> None:
    """log E exp(eta v)/eta + rho/eta bounds what the student gets; the equilibrium policy lowers it at PoE's own KL."""
    given, eta = experts(1.0), 0.5
    log_ref = torch.log_softmax(given.teacher, -1)
    v = log_ref - torch.log_softmax(given.proxies[0], -1)

    def bound(name: str, strength: dict[str, float]) -> tuple[float, float]:
        result = release(make_policy(name, strength), given)
        worth = torch.logsumexp(result.released.logprobs + eta * v, -1)
        return float(result.kl.mean()), float(worth.mean())

    spent, passive = bound("poe", {"gamma": 0.3})
    low, high = 0.0, 5.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (
            (middle, high) if bound("equilibrium_gap", {"eta": eta, "kappa": middle})[0] < spent else (low, middle)
        )
    cost, anticipating = bound("equilibrium_gap", {"eta": eta, "kappa": low})
    assert cost <= spent
    assert anticipating < passive


def test_greedy_decoding_takes_the_likeliest_at_temperature_one() -> None:
    for name in ("equilibrium_gap", "equilibrium_grad"):
        policy = make_policy(name, {"eta": 0.5, "kappa": 1.0})
        assert torch.equal(policy.logits(experts(0.0)), policy.logits(experts(1.0)))


@pytest.mark.parametrize("name", ["equilibrium_gap", "equilibrium_grad"])
def test_a_student_that_learns_the_most_is_the_worst_case(name: str) -> None:
    """With two proxies of equal weight: a token is worth the larger of two values, or their mean."""
    both = experts(1.0, proxies=2)
    first, second = (Experts(both.teacher, 1.0, both.proxies[k : k + 1], both.deltas[k : k + 1]) for k in range(2))

    def released(given: Experts, **options: object) -> torch.Tensor:
        policy = make_policy(name, {"eta": 1e-5, "kappa": 1e5, **options})
        return release(policy, given).released.logprobs

    def tilt(log_released: torch.Tensor) -> torch.Tensor:
        moved = log_released - torch.log_softmax(both.teacher, -1)
        return moved - moved[:, :1]

    alone = [tilt(released(given)) for given in (first, second)]
    mean = tilt(released(both, proxies=["a", "b"]))
    assert torch.allclose(mean, (alone[0] + alone[1]) / 2, atol=0.02)
    log_ref = torch.log_softmax(both.teacher, -1)
    values = [-d for d in both.deltas]
    if name == "equilibrium_gap":
        values = [log_ref - torch.log_softmax(p, -1) for p in both.proxies]
    largest = torch.maximum(*values)
    worst = tilt(released(both, proxies=["a", "b"], combine="worst"))
    assert torch.allclose(worst, largest[:, :1] - largest, atol=0.05)
