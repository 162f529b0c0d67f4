import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from distillgame.errors import DistillgameError
from distillgame.policies import Experts, ReleasePolicy, make_policy, policies, release


def experts(temperature: float = 0.6, vocabulary: int = 11, batch: int = 5, seed: int = 0) -> Experts:
    generator = torch.Generator().manual_seed(seed)

    def draw() -> torch.Tensor:
        return 3 * torch.randn(batch, vocabulary, generator=generator)

    return Experts(draw(), temperature, (torch.log_softmax(draw(), -1),), (draw(),), tuple(range(batch)))


STRENGTHS: dict[str, dict[str, float]] = {
    "standard": {},
    "temperature": {"temperature": 0.9},
    "poe": {"gamma": 0.4},
    "ads": {"lambda": 0.3},
    "permutation": {"lambda": 0.3},
    "equilibrium_gap": {"eta": 0.5, "kappa": 0.7},
    "equilibrium_grad": {"eta": 0.5, "kappa": 0.7},
}


def test_every_policy_of_the_paper_is_registered() -> None:
    assert set(STRENGTHS) <= set(policies.names())


@pytest.mark.parametrize("name", STRENGTHS)
@pytest.mark.parametrize("temperature", [0.6, 1.0, 0.0])
def test_released_probabilities_sum_to_one(name: str, temperature: float) -> None:
    result = release(make_policy(name, STRENGTHS[name]), experts(temperature))
    assert torch.allclose(result.released.probabilities.sum(-1), torch.ones(5))
    assert torch.allclose(result.reference.probabilities.sum(-1), torch.ones(5))


def test_standard_is_the_reference() -> None:
    result = release(make_policy("standard"), experts())
    assert result.released is result.reference
    assert torch.equal(result.kl, torch.zeros(5))


def test_temperature_replaces_the_reference_temperature() -> None:
    given_experts = experts(0.6)
    result = release(make_policy("temperature", {"temperature": 0.9}), given_experts)
    assert torch.allclose(result.released.logprobs, torch.log_softmax(given_experts.teacher / 0.9, -1), atol=1e-6)
    assert torch.allclose(result.reference.logprobs, torch.log_softmax(given_experts.teacher / 0.6, -1), atol=1e-6)


def test_poe_is_the_normalised_geometric_mixture_of_tempered_experts() -> None:
    given_experts = experts(0.6)
    ours = torch.softmax(given_experts.teacher / 0.6, -1).double() ** 0.6
    theirs = torch.softmax(given_experts.proxies[0] / 0.6, -1).double() ** 0.4
    expected = ours * theirs / (ours * theirs).sum(-1, keepdim=True)
    result = release(make_policy("poe", {"gamma": 0.4}), given_experts)
    assert torch.allclose(result.released.probabilities.double(), expected, atol=1e-6)


def test_poe_with_gamma_zero_is_standard_and_with_one_is_the_proxy() -> None:
    given_experts = experts()
    none = release(make_policy("poe", {"gamma": 0}), given_experts)
    assert torch.allclose(none.released.logprobs, none.reference.logprobs, atol=1e-6)
    whole = release(make_policy("poe", {"gamma": 1}), given_experts)
    assert torch.allclose(whole.released.logprobs, torch.log_softmax(given_experts.proxies[0] / 0.6, -1), atol=1e-5)


def test_ads_adds_lambda_delta_to_the_tempered_log_probabilities() -> None:
    given_experts = experts(0.6)
    result = release(make_policy("ads", {"lambda": 0.3}), given_experts)
    expected = torch.log_softmax(given_experts.teacher / 0.6 + 0.3 * given_experts.deltas[0], -1)
    assert torch.allclose(result.released.logprobs, expected, atol=1e-5)


def test_ads_is_the_teachers_best_response_to_v_grad() -> None:
    """Theorem 3.1: pi_rel* ∝ pi_ref exp(-lambda v) with v = -delta minimises E v at its KL."""
    given_experts = experts(batch=1)
    result = release(make_policy("ads", {"lambda": 0.3}), given_experts)
    value = -given_experts.deltas[0]
    spent = float(result.kl)
    best = float((result.released.probabilities * value).sum())
    generator = torch.Generator().manual_seed(1)
    for _ in range(300):
        logits = result.released.logprobs + 0.3 * torch.randn(1, 11, generator=generator)
        other = torch.log_softmax(logits, -1)
        if float((other.exp() * (other - result.reference.logprobs)).sum()) <= spent:
            assert float((other.exp() * value).sum()) >= best - 1e-6


def test_permutation_moves_as_much_as_ads_in_a_random_direction() -> None:
    given_experts = experts()
    policy = make_policy("permutation", {"lambda": 0.3})
    moved = (policy.logits(given_experts) - given_experts.teacher) / (0.6 * 0.3)
    assert torch.allclose(moved.abs().sort().values, given_experts.deltas[0].abs().sort().values, atol=1e-4)
    assert not torch.allclose(moved, given_experts.deltas[0])


def test_permutation_depends_on_the_key_alone() -> None:
    given_experts = experts()
    policy = make_policy("permutation", {"lambda": 0.3})
    other = Experts(given_experts.teacher, 0.6, (), given_experts.deltas, tuple(range(100, 105)))
    assert torch.equal(policy.logits(given_experts), policy.logits(given_experts))
    assert not torch.equal(policy.logits(given_experts), policy.logits(other))


@given(
    st.integers(0, 1000),
    st.sampled_from([name for name in STRENGTHS if STRENGTHS[name] and name != "temperature"]),
    st.floats(0.2, 2),
)
@settings(max_examples=40, deadline=None)
def test_outside_the_shared_vocabulary_the_mass_is_the_teachers(seed: int, name: str, temperature: float) -> None:
    full = experts(temperature, vocabulary=9, seed=seed)
    shared = torch.tensor([0, 2, 3, 5, 8])
    partial = Experts(full.teacher, temperature, (full.proxies[0][:, shared],), (full.deltas[0][:, shared],), full.keys)
    result = release(make_policy(name, STRENGTHS[name]), partial, shared)
    outside = torch.tensor([1, 4, 6, 7])
    assert torch.allclose(result.released.logprobs[:, outside], result.reference.logprobs[:, outside], atol=1e-5)
    assert torch.allclose(result.released.probabilities.sum(-1), torch.ones(5), atol=1e-5)


def test_inside_the_shared_vocabulary_the_conditionals_are_mixed() -> None:
    full = experts(0.7, vocabulary=9)
    shared = torch.tensor([0, 2, 3, 5, 8])
    partial = Experts(full.teacher, 0.7, (full.proxies[0][:, shared],))
    result = release(make_policy("poe", {"gamma": 0.4}), partial, shared)
    ours = torch.log_softmax(full.teacher[:, shared] / 0.7, -1)
    theirs = torch.log_softmax(full.proxies[0][:, shared] / 0.7, -1)
    expected = torch.log_softmax(0.6 * ours + 0.4 * theirs, -1)
    assert torch.allclose(torch.log_softmax(result.released.logprobs[:, shared], -1), expected, atol=1e-5)


def test_greedy_release_keeps_a_choice_outside_the_shared_vocabulary() -> None:
    teacher = torch.tensor([[0.0, 5.0, 1.0], [4.0, 0.0, 1.0]])
    proxy = torch.log_softmax(torch.tensor([[0.0, 9.0], [0.0, 9.0]]), -1)
    shared = torch.tensor([0, 2])
    result = release(make_policy("poe", {"gamma": 0.9}), Experts(teacher, 0.0, (proxy,)), shared)
    assert result.released.logprobs.argmax(-1).tolist() == [1, 2]
    assert result.released.probabilities.sum(-1).tolist() == [1.0, 1.0]


def test_a_neutral_policy_costs_nothing_where_the_vocabulary_is_partly_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, options in (("standard", {}), ("poe", {"gamma": 0}), ("ads", {"lambda": 0})):
        policy, given, shared = make_policy(name, options), experts(0.7), torch.tensor([0, 2, 3])
        monkeypatch.setattr(type(policy), "logits", None)
        result = release(policy, given, shared)
        assert result.released is result.reference
        assert torch.equal(result.reference.logits, given.teacher)
        assert result.kl.tolist() == result.kl_reverse.tolist() == [0.0] * len(given.teacher)


@pytest.mark.parametrize("name", STRENGTHS)
def test_a_policy_is_neutral_exactly_where_its_knob_says(name: str) -> None:
    policy = make_policy(name, STRENGTHS[name])
    if policy.knob is None:
        assert policy.is_neutral(0.6)
        return
    for temperature in (0.6, 1.0):
        neutral = make_policy(name, STRENGTHS[name] | {policy.knob.parameter: policy.knob.neutral(temperature)})
        assert neutral.is_neutral(temperature)
        assert torch.equal(neutral.logits(experts(temperature)), experts(temperature).teacher)
        assert not policy.is_neutral(temperature)


def test_a_policy_of_others_that_changes_nothing_is_compared_and_costs_no_kl() -> None:
    class Unaware(ReleasePolicy):
        name = "unaware"

        def logits(self, experts: Experts) -> torch.Tensor:
            return experts.teacher

    for shared in (None, torch.tensor([0, 2, 3])):
        result = release(Unaware(), experts(), shared)
        assert torch.allclose(result.released.logprobs, result.reference.logprobs, atol=1e-6)
        assert result.kl.tolist() == pytest.approx([0.0] * len(result.kl), abs=1e-6)


def test_policies_are_data_with_their_parameters_under_published_names() -> None:
    ads = make_policy("ads", {"lambda": 0.3, "proxies": ["a", "b"]})
    assert ads == make_policy("ads", {"lambda": 0.3, "proxies": ["a", "b"]}) != make_policy("ads", {"lambda": 0.3})
    assert ads.parameters == {"lambda": 0.3}
    assert (ads.uses_proxies, ads.proxy_names) == (True, ("a", "b"))
    standard = make_policy("standard")
    assert (standard.parameters, standard.uses_proxies, standard.proxy_names) == ({}, False, ())


def test_kl_is_exact_and_survives_zero_probabilities() -> None:
    teacher = torch.tensor([[0.0, 1.0, -torch.inf]])
    proxy = torch.log_softmax(torch.tensor([[2.0, 0.0, 0.0]]), -1)
    result = release(make_policy("poe", {"gamma": 0.5}), Experts(teacher, 1.0, (proxy,)))
    p, q = result.released.probabilities[0, :2].double(), result.reference.probabilities[0, :2].double()
    assert float(result.kl) == pytest.approx(float((p * (p / q).log()).sum()), abs=1e-6)
    assert float(result.kl_reverse) == pytest.approx(float((q * (q / p).log()).sum()), abs=1e-6)


@pytest.mark.parametrize(
    ("name", "strength", "message"),
    [
        ("poe", {"gamma": 1.5}, "gamma must be a number between 0 and 1 (found 1.5)"),
        ("poe", {"gamma": float("nan")}, "gamma must be a number between 0 and 1 (found nan)"),
        ("poe", {"gamma": "strong"}, "policy 'poe': gamma: input should be a valid number (found 'strong')"),
        ("poe", {}, "policy 'poe': missing 1 required positional argument: 'gamma'"),
        ("poe", {"lambda": 1}, "policy 'poe': unknown option 'lambda' (its options: gamma, proxies)"),
        ("ads", {"lambda": -1}, "lambda must be a number at least 0 (found -1)"),
        ("ads", {"gamma": 1}, "policy 'ads': unknown option 'gamma' (its options: lambda, proxies, combine)"),
        ("ads", {}, "policy 'ads': missing 1 required positional argument: 'lambda'"),
        ("temperature", {"temperature": 0}, "temperature must be a number at least 0.001 (found 0)"),
        ("standard", {"gamma": 1}, "policy 'standard'"),
        ("equilibrium_gap", {"eta": -1, "kappa": 1}, "eta must be a number at least 0 (found -1)"),
        ("equilibrium_grad", {"eta": 1, "kappa": float("inf")}, "kappa must be a number at least 0 (found inf)"),
        ("equilibrium_gap", {"eta": 1}, "missing 1 required positional argument: 'kappa'"),
        (
            "posh",
            {},
            "unknown policy 'posh': choose one of ads, equilibrium_gap, equilibrium_grad, fingerprint, keyed, ",
        ),
    ],
)
def test_bad_strengths_are_named(name: str, strength: dict[str, float], message: str) -> None:
    with pytest.raises(DistillgameError) as caught:
        make_policy(name, strength)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
