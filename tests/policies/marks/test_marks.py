from typing import Any

import pytest
import torch

from distillgame.errors import DistillgameError
from distillgame.policies import Defense, Experts, PolicyChoice, make_policy, release
from distillgame.policies.seeds import Seeds, context_seed, owner_key, uniform_numbers

SIZE = 40
SEEDS = torch.tensor([context_seed(owner_key(b"s", "a"), (i,)) for i in range(6)])


def experts(temperature: float = 0.7) -> Experts:
    torch.manual_seed(3)
    teacher, proxy, delta = torch.randn(3, 6, SIZE)
    return Experts(teacher, temperature, (proxy,), (delta,), (0,) * 6, Seeds(SEEDS, torch.ones(6, dtype=torch.bool)))


@pytest.mark.parametrize("on", ["standard", {"poe": {"gamma": 0.5}}, {"temperature": {"temperature": 1.1}}])
def test_a_watermark_raises_log_probabilities_of_green_tokens_by_delta(on: Any) -> None:
    """Against the definition, token by token; the share of green tokens is 0.25 +- 5 standard errors."""
    policy = make_policy("watermark", {"delta": 1.5, "green": 0.25, "on": on})
    plain = release(make_policy(on) if on == "standard" else make_policy(*next(iter(on.items()))), experts())
    green = uniform_numbers(SEEDS, torch.arange(SIZE)) < 0.25
    assert abs(green.double().mean() - 0.25) < 5 * (0.25 * 0.75 / green.numel()) ** 0.5
    wanted = torch.log_softmax(plain.released.logprobs + 1.5 * green, -1)
    torch.testing.assert_close(release(policy, experts()).released.logprobs, wanted, atol=1e-5, rtol=1e-5)


def test_a_watermark_acts_within_shared_tokens_by_the_teachers_ids() -> None:
    shared = torch.tensor([1, 4, 5, 9, 30])
    marked = experts()
    narrow = Experts(marked.teacher, 0.7, (marked.proxies[0][:, :5],), (), (), marked.seeds)
    policy = make_policy("watermark", {"delta": 1.5})
    after = release(policy, narrow, shared).released.probabilities
    before = torch.softmax(marked.teacher / 0.7, -1)
    outside = torch.ones(SIZE, dtype=torch.bool).index_fill(0, shared, False)
    torch.testing.assert_close(after[:, outside], before[:, outside])
    green = (uniform_numbers(SEEDS, shared) < 0.5).double()
    inside = before[:, shared].double() * torch.exp(1.5 * green)
    wanted = inside / inside.sum(-1, keepdim=True) * before[:, shared].sum(-1, keepdim=True)
    torch.testing.assert_close(after[:, shared].double(), wanted, atol=1e-5, rtol=1e-4)


def test_a_fingerprint_is_a_tilt_along_the_proxys_derivative() -> None:
    given = experts()
    policy = make_policy("fingerprint", {"lambda": 0.4, "on": {"poe": {"gamma": 0.5}}})
    plain = release(make_policy("poe", {"gamma": 0.5}), given).released.logprobs
    wanted = torch.log_softmax(plain + 0.4 * given.deltas[0], -1)
    torch.testing.assert_close(release(policy, given).released.logprobs, wanted, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ["watermark", "keyed", "fingerprint"])
def test_greedy_decoding_is_not_touched(name: str) -> None:
    for on in ("standard", {"poe": {"gamma": 0.5}}):
        plain = make_policy("standard") if on == "standard" else make_policy("poe", {"gamma": 0.5})
        marked = release(make_policy(name, {"on": on}), experts(0.0)).released.logits
        assert torch.equal(marked.argmax(-1), release(plain, experts(0.0)).released.logits.argmax(-1))


def test_keyed_sampling_releases_the_policys_own_distribution() -> None:
    plain = release(make_policy("poe", {"gamma": 0.5}), experts()).released.logits
    assert torch.equal(release(make_policy("keyed", {"on": {"poe": {"gamma": 0.5}}}), experts()).released.logits, plain)
    assert make_policy("keyed").is_neutral(0.6)
    assert not make_policy("keyed", {"on": {"poe": {"gamma": 0.5}}}).is_neutral(0.6)


def test_a_mark_needs_what_the_policy_under_it_needs() -> None:
    marked = make_policy("keyed", {"on": {"ads": {"lambda": 0.2, "proxies": {"small": 1, "large": 2}}}})
    assert (marked.needs_delta, marked.needs_proxy, marked.proxy_names) == (True, False, ("small", "large"))
    assert marked.weights == (1 / 3, 2 / 3)
    assert marked.parameters == {"width": 4, "salts": 1, "on_lambda": 0.2}
    assert not make_policy("watermark").uses_proxies


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("watermark", {"delta": -1.0}, "delta must be a number at least 0"),
        ("watermark", {"green": 1.0}, "green must be above 0 and below 1"),
        ("watermark", {"width": -1}, "width must be at least 0"),
        ("keyed", {"width": 0}, "width must be at least 1"),
        ("keyed", {"salts": 0}, "salts must be at least 1"),
        ("keyed", {"salts": 5000}, "salts must be at most 4096"),
        ("fingerprint", {"salts": 2}, "salts must be 1"),
        ("keyed", {"on": "nothing"}, "unknown policy 'nothing'"),
        ("keyed", {"on": {"a": 1, "b": 2}}, "on must name a policy"),
        ("keyed", {"on": {"watermark": {}}}, "marks do not add up"),
        ("fingerprint", {"on": {"ads": {"lambda": 0.1}}}, "another gradient"),
        ("fingerprint", {"on": {"poe": {"gamma": 0.1, "proxies": ["other"]}}}, "the same proxies"),
        ("fingerprint", {"lambda": -0.1}, "lambda must be a number at least 0"),
    ],
)
def test_bad_options_are_refused_in_words(name: str, options: dict[str, Any], said: str) -> None:
    with pytest.raises(DistillgameError, match=said):
        make_policy(name, options)


def test_labels_say_whose_mark_it_is_and_neither_its_secret_nor_its_epoch() -> None:
    options = {"width": 4, "owner": "alice", "secret": "s3cret", "epoch": 2}
    assert PolicyChoice(name="keyed", options=options).label == "keyed width=4 owner=alice"
    assert Defense.model_validate({"keyed": options | {"form": "answer_only"}}).label == (
        "keyed width=4 owner=alice form=answer_only"
    )
