"""Drawing many positions at once, some of them marked by a keyed policy: each kind is drawn as it is alone."""

from dataclasses import replace

import pytest
import torch

from distillgame.decoding import SamplingParams
from distillgame.decoding.drawing.chooser import Chooser
from distillgame.decoding.drawing.race import race
from distillgame.decoding.drawing.sampler import truncate
from distillgame.policies import Distribution, Experts, ReleasePolicy, make_policy, release
from distillgame.policies.seeds import Seeds, uniform_numbers

POE = {"poe": {"gamma": 0.5}}
KEYED, PLAIN = make_policy("keyed", {"on": POE}), make_policy("poe", POE["poe"])
CUTS = [{}, {"top_p": 0.9}, {"top_k": 5}, {"top_p": 0.7, "top_k": 40}]
POSITIONS = 40


def experts_of(seed: int, vocabulary: int, partly: bool) -> tuple[Experts, torch.Tensor, torch.Tensor | None]:
    """Experts of which about half are marked, their uniforms, and the shared tokens."""
    generator = torch.Generator().manual_seed(seed)
    teacher = 3 * torch.randn(POSITIONS, vocabulary, generator=generator)
    shared = torch.randperm(vocabulary, generator=generator)[: vocabulary * 2 // 3].sort().values if partly else None
    proxy = teacher if shared is None else teacher[:, shared]
    proxy = proxy + torch.randn(proxy.shape, generator=generator)
    seeds = Seeds(
        torch.randint(-(2**62), 2**62, (POSITIONS,), generator=generator),
        torch.rand(POSITIONS, generator=generator) < 0.5,
    )
    uniforms = torch.rand(POSITIONS, 3, generator=generator, dtype=torch.float64)
    return Experts(teacher, 1.0, (proxy,), seeds=seeds), uniforms, shared


def same(ours: torch.Tensor, theirs: torch.Tensor) -> None:
    torch.testing.assert_close(ours, theirs, rtol=0, atol=0, equal_nan=True)


def winners(logits: torch.Tensor, params: SamplingParams, numbers: torch.Tensor) -> torch.Tensor:
    return race(truncate(Distribution(logits, 1.0).probabilities, params.top_p, params.top_k), numbers)


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("partly", [False, True])
@pytest.mark.parametrize("vocabulary", [60, 2500])
def test_marked_positions_are_races_and_the_others_are_as_without_a_mark(
    cut: dict[str, float], partly: bool, vocabulary: int
) -> None:
    params = SamplingParams(temperature=1.0, **cut)
    for seed in range(4):
        experts, uniforms, shared = experts_of(seed, vocabulary, partly)
        assert experts.seeds is not None
        marked = experts.seeds.marked
        plain = Chooser(PLAIN, shared).choose(replace(experts, seeds=None), params, uniforms, False)
        chooser = Chooser(KEYED, shared)
        proposal = chooser.draft(experts, params, uniforms, False)
        found = chooser.choose(experts, params, uniforms, False)
        given = chooser.choose(experts, params, uniforms, False, proposal)
        assert torch.equal(found.tokens, given.tokens)
        same(found.measures, given.measures)

        everywhere = torch.arange(vocabulary)
        released = release(KEYED, experts, shared).released.logits
        numbers = uniform_numbers(experts.seeds.values, everywhere)
        assert torch.equal(found.tokens[marked], winners(released, params, numbers)[marked])
        ids = everywhere if shared is None else shared
        drafted = ids[winners(KEYED.draft(experts), params, numbers[:, ids])]
        assert torch.equal(proposal.tokens[marked], drafted[marked])

        assert torch.equal(found.tokens[~marked], plain.tokens[~marked])
        assert torch.equal(found.accepted[~marked], plain.accepted[~marked])
        same(found.measures[:, ~marked], plain.measures[:, ~marked])
        assert torch.equal(found.accepted, found.tokens == proposal.tokens)
        assert 0 < int(found.accepted.sum()) < POSITIONS


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("proxied", [False, True])
@pytest.mark.parametrize("policy", [make_policy("keyed"), make_policy("standard")])
def test_seeds_decide_only_under_a_policy_that_races(
    cut: dict[str, float], proxied: bool, policy: ReleasePolicy
) -> None:
    params = SamplingParams(temperature=1.0, **cut)
    experts, uniforms, _ = experts_of(5, 60, False)
    experts = experts if proxied else replace(experts, proxies=())
    assert experts.seeds is not None
    raced = experts.seeds.marked & policy.races
    found = Chooser(policy, None).choose(experts, params, uniforms, False)
    plain = Chooser(make_policy("standard"), None).choose(replace(experts, seeds=None), params, uniforms, False)
    wanted = torch.where(raced, winners(experts.teacher, params, experts.seeds.numbers(60)), plain.tokens)
    assert torch.equal(found.tokens, wanted)
    assert bool(found.accepted.any()) == proxied
