"""The engine samples from the released distribution: joint distributions against brute force, over several tokens."""

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from distillgame.decoding import Engine, SamplingParams
from distillgame.decoding.drawing import chooser
from distillgame.decoding.drawing.sampler import truncate
from distillgame.decoding.drawing.streams import policy_keys
from distillgame.decoding.networks.readers import DERIVATIVE_STEP, make_derivative
from distillgame.models import LanguageModel
from distillgame.policies import Experts, ReleasePolicy, make_policy, release
from distillgame.values import Direction
from tests.decoding.common import POLICIES, PROMPTS, drafting, encoded, requests

FALSE_ALARM = 1e-5
COPIES = 1500
LENGTH = 3
PARAMS = [
    SamplingParams(temperature=0.8, max_new_tokens=LENGTH),
    SamplingParams(temperature=1.0, top_p=0.85, top_k=12, max_new_tokens=LENGTH),
]


def exact_distribution(
    teacher: LanguageModel,
    proxy: LanguageModel,
    direction: Direction,
    policy: ReleasePolicy,
    prompt: str,
    params: SamplingParams,
) -> dict[tuple[int, ...], float]:
    """Brute force over all continuations that hold most of the mass, each expert run on the whole sequence."""
    start = teacher.prompt_ids([{"role": "user", "content": prompt}])

    def released(prefixes: list[tuple[int, ...]]) -> list[list[float]]:
        ids = torch.tensor([[*start, *tokens] for tokens in prefixes])

        def last(parameters: dict[str, torch.Tensor] | None = None) -> torch.Tensor:
            model = proxy.model
            if parameters is None:
                return torch.log_softmax(model(ids).logits[:, -1], -1)
            output = torch.func.functional_call(model, parameters, kwargs={"input_ids": ids})
            return torch.log_softmax(output.logits[:, -1], -1)

        with torch.no_grad():
            plus, minus = (
                last({n: p + sign * DERIVATIVE_STEP * direction[n] for n, p in proxy.model.named_parameters()})
                for sign in (1, -1)
            )
            delta = (plus - minus) / (2 * DERIVATIVE_STEP)
            logits, keys = teacher.model(ids).logits[:, -1], (0,) * len(prefixes)
            experts = Experts(logits, params.temperature, (last(),), (delta,), keys)
            kept = truncate(release(policy, experts).released.probabilities, params.top_p, params.top_k)
            probabilities: list[list[float]] = (kept / kept.sum(-1, keepdim=True)).tolist()
            return probabilities

    beams: dict[tuple[int, ...], float] = {(): 1.0}
    for _ in range(params.max_new_tokens):
        ended = {tokens: mass for tokens, mass in beams.items() if tokens and tokens[-1] in teacher.stop_ids}
        going = [tokens for tokens in beams if tokens not in ended]
        beams = ended | {
            (*tokens, token): beams[tokens] * probability
            for tokens, row in zip(going, released(going), strict=True)
            for token, probability in enumerate(row)
            if beams[tokens] * probability > 2e-3
        }
    return beams


def p_value(observed: Counter[tuple[int, ...]], expected: dict[tuple[int, ...], float]) -> float:
    """Chi-square over the likeliest continuations and the rest."""
    likely = {tokens: mass for tokens, mass in expected.items() if mass * COPIES >= 8}
    assert len(likely) > 5
    counts = [observed[tokens] for tokens in likely]
    masses = list(likely.values())
    counts.append(COPIES - sum(counts))
    masses.append(max(1 - sum(masses), 1e-9))
    return float(chisquare(counts, np.array(masses) / sum(masses) * COPIES).pvalue)


def sampled(
    teacher: LanguageModel,
    proxy: LanguageModel,
    direction: Direction,
    policy: ReleasePolicy,
    params: SamplingParams,
    speculative: bool,
) -> list[Counter[tuple[int, ...]]]:
    """How often each continuation came, by prompt; prompts of different lengths share batches."""
    engine = Engine(
        teacher, policy, proxies={"proxy": proxy}, directions={"proxy": direction}, batch_size=1500,
        speculative=speculative, calibration=drafting(),
    )  # fmt: skip
    samples = engine.generate(encoded(teacher, PROMPTS[:2], COPIES), params, seed=11)
    if speculative:
        assert engine.counters.teacher_passes < engine.counters.proxy_passes
    return [Counter(tuple(s.token_ids) for s in samples[k * COPIES : (k + 1) * COPIES]) for k in range(2)]


@pytest.mark.parametrize("params", PARAMS)
@pytest.mark.parametrize(("name", "strength"), [case for case in POLICIES if case[0] != "permutation"])
def test_the_joint_distribution_of_three_tokens_is_exact(
    teacher: LanguageModel,
    proxy: LanguageModel,
    direction: Direction,
    name: str,
    strength: dict[str, float],
    params: SamplingParams,
) -> None:
    policy = make_policy(name, strength)
    exact = [exact_distribution(teacher, proxy, direction, policy, prompt, params) for prompt in PROMPTS[:2]]
    for speculative in (False, True):
        found = sampled(teacher, proxy, direction, policy, params, speculative)
        for counts, expected in zip(found, exact, strict=True):
            assert p_value(counts, expected) > FALSE_ALARM, f"speculative: {speculative}"


@pytest.mark.parametrize("speculative", [False, True])
def test_permuted_noise_is_drawn_for_each_sequence_and_followed_exactly(
    teacher: LanguageModel, proxy: LanguageModel, direction: Direction, speculative: bool
) -> None:
    """Each sequence has a distribution of its own; counts are compared with the sum of all (which errs on the safe
    side: counts vary less than those of one common distribution)."""
    policy = make_policy("permutation", {"lambda": 0.5})
    params = SamplingParams(temperature=0.8, max_new_tokens=1)
    prompt = teacher.prompt_ids(requests(PROMPTS[:1])[0].messages)
    with torch.no_grad():
        ours = teacher.model(torch.tensor([prompt])).logits[0, -1]
        reader = make_derivative("jvp", proxy.model, direction).start()
        _, delta = reader.combine(*reader.admit([prompt]))
        assert delta is not None
        keys = tuple(int(policy_keys(11, r.id, 1)[0]) for r in requests(PROMPTS[:1], COPIES))
        experts = Experts(ours.expand(COPIES, -1), params.temperature, (), (delta.expand(COPIES, -1),), keys)
        expected = release(policy, experts).released.probabilities.double().sum(0).numpy()
    engine = Engine(
        teacher, policy, proxies={"proxy": proxy}, directions={"proxy": direction}, batch_size=1500,
        speculative=speculative, calibration=drafting(),
    )  # fmt: skip
    samples = engine.generate(encoded(teacher, PROMPTS[:1], COPIES), params, seed=11)
    counts = np.bincount([s.token_ids[0] for s in samples], minlength=len(expected))
    likely = expected >= 8
    observed = [*counts[likely], counts[~likely].sum()]
    assert likely.sum() > 5
    assert chisquare(observed, [*expected[likely], COPIES - expected[likely].sum()]).pvalue > FALSE_ALARM
    alone = release(policy, Experts(ours[None], params.temperature, (), (delta,), keys[:1])).released.probabilities[0]
    shared = np.array([*(alone.double().numpy() * COPIES)[likely], 0.0])
    shared[-1] = COPIES - shared.sum()
    assert chisquare(observed, shared).pvalue < FALSE_ALARM


def _accept_all(released: torch.Tensor, drafted: torch.Tensor, uniform: torch.Tensor) -> torch.Tensor:
    return torch.ones_like(released, dtype=torch.bool)


def _accept_inverted(released: torch.Tensor, drafted: torch.Tensor, uniform: torch.Tensor) -> torch.Tensor:
    return uniform * released < drafted


def _resample_from_released(released: torch.Tensor, drafted: torch.Tensor) -> torch.Tensor:
    return released


@pytest.mark.parametrize(
    ("part", "wrong"),
    [("accept", _accept_all), ("accept", _accept_inverted), ("residual", _resample_from_released)],
)
def test_a_wrong_acceptance_rule_is_caught(
    teacher: LanguageModel,
    proxy: LanguageModel,
    direction: Direction,
    monkeypatch: pytest.MonkeyPatch,
    part: str,
    wrong: Callable[..., torch.Tensor],
) -> None:
    """The test above would fail: with the draft's distribution, the inverse ratio, or p instead of (p-q)+."""
    monkeypatch.setattr(chooser, part, wrong)
    policy = make_policy("poe", {"gamma": 0.5})
    counts = sampled(teacher, proxy, direction, policy, PARAMS[0], True)
    expected = exact_distribution(teacher, proxy, direction, policy, PROMPTS[0], PARAMS[0])
    assert p_value(counts[0], expected) < FALSE_ALARM
