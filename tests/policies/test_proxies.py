import math
from typing import Any

import pytest
import torch

from distillgame.errors import DistillgameError
from distillgame.policies import Experts, make_policy, release
from distillgame.policies.proxies import combined

WEIGHTS = {"small": 1, "large": 3}


def experts(temperature: float = 0.6) -> Experts:
    generator = torch.Generator().manual_seed(0)
    teacher, *others = (2 * torch.randn(3, 8, generator=generator) for _ in range(5))
    return Experts(teacher, temperature, tuple(others[:2]), tuple(others[2:]), (1, 2, 3))


def test_poe_multiplies_all_experts_by_their_weights() -> None:
    given = experts()
    ours, small, large = (torch.log_softmax(x.double() / 0.6, -1) for x in (given.teacher, *given.proxies))
    expected = torch.softmax(0.6 * ours + 0.4 * (0.25 * small + 0.75 * large), -1)
    result = release(make_policy("poe", {"gamma": 0.4, "proxies": WEIGHTS}), given)
    assert torch.allclose(result.released.probabilities.double(), expected, atol=1e-6)


def test_ads_adds_the_weighted_mean_of_deltas_or_takes_the_worst() -> None:
    given = experts()
    small, large = given.deltas
    mean = make_policy("ads", {"lambda": 0.5, "proxies": WEIGHTS}).logits(given)
    assert torch.allclose(mean, given.teacher + 0.3 * (0.25 * small + 0.75 * large), atol=1e-5)
    worst = make_policy("ads", {"lambda": 0.5, "proxies": ["small", "large"], "combine": "worst"}).logits(given)
    # The worst case of the values -delta is the smallest delta.
    assert torch.allclose(worst, given.teacher + 0.3 * torch.minimum(small, large), atol=1e-5)


def test_a_heavier_proxy_counts_for_more_in_the_worst_case() -> None:
    values = [torch.tensor([[1.0, -1.0]]), torch.tensor([[1.5, -1.5]])]
    assert combined(values, (0.5, 0.5), "worst", 2.0).tolist() == [[1.5, -1.0]]
    unequal = combined(values, (0.75, 0.25), "worst", 2.0)
    assert unequal[0].tolist() == pytest.approx([max(1.0, 1.5 - math.log(3) / 2), -1.0])
    assert torch.equal(combined(values, (1.0, 1e-9), "worst", 2.0), values[0])


@pytest.mark.parametrize("name", ["ads", "equilibrium_grad"])
def test_a_proxy_of_hardly_any_weight_does_not_count(name: str) -> None:
    given = experts()
    alone = Experts(given.teacher, given.temperature, given.proxies[:1], given.deltas[:1])
    strength = {"lambda": 0.5} if name == "ads" else {"eta": 0.5, "kappa": 1.0}
    for combine in ("mean", "worst"):
        options = {**strength, "proxies": {"small": 1, "large": 1e-12}, "combine": combine}
        assert torch.allclose(
            make_policy(name, options).logits(given), make_policy(name, strength).logits(alone), atol=1e-4
        )


def test_weights_of_any_scale_sum_to_one() -> None:
    assert make_policy("poe", {"gamma": 0.4, "proxies": {"a": 1e308, "b": 1e308}}).weights == (0.5, 0.5)


def test_excluded_tokens_stay_excluded_at_both_ends_of_poe() -> None:
    teacher, proxy = torch.tensor([[0.0, 1.0, -torch.inf, 2.0]]), torch.tensor([[0.0, -torch.inf, 1.0, 2.0]])
    given = Experts(teacher, 1.0, (proxy,))
    assert torch.equal(make_policy("poe", {"gamma": 0}).logits(given), teacher)
    assert torch.equal(make_policy("poe", {"gamma": 1}).logits(given), proxy)


def test_names_alone_weigh_the_same_and_one_proxy_is_the_default() -> None:
    assert make_policy("poe", {"gamma": 0.4, "proxies": ["a", "b"]}).weights == (0.5, 0.5)
    assert make_policy("poe", {"gamma": 0.4}).proxy_weights == {"proxy": 1.0}
    assert make_policy("standard").proxy_weights == {"proxy": 1.0}


def test_permutation_permutes_what_ads_would_add() -> None:
    given = experts()
    options = {"lambda": 0.5, "proxies": WEIGHTS}
    ads, permuted = (make_policy(name, options).logits(given) - given.teacher for name in ("ads", "permutation"))
    assert torch.allclose(ads.abs().sort().values, permuted.abs().sort().values, atol=1e-5)


@pytest.mark.parametrize(
    ("proxies", "message"),
    [
        ([], "must name at least one proxy"),
        (["a", "a"], "must be a list of names or names with weights"),
        ({"a": 0}, "the weight of 'a' must be above 0 (found 0)"),
        ({"a": float("nan")}, "the weight of 'a' must be above 0 (found nan)"),
        ("proxy", "policy 'poe': proxies"),
        (3, "policy 'poe': proxies"),
    ],
)
def test_bad_proxies_are_named(proxies: Any, message: str) -> None:
    with pytest.raises(DistillgameError) as caught:
        make_policy("poe", {"gamma": 0.5, "proxies": proxies})
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_combination_is_refused() -> None:
    with pytest.raises(DistillgameError, match="combine"):
        make_policy("ads", {"lambda": 0.5, "combine": "median"})
