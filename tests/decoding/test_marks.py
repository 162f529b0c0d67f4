"""Marks in the engine: exact over keys, the same with and without speculation, once per context."""

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from distillgame.decoding import Engine, Request, Sample, SamplingParams
from distillgame.decoding.drawing.race import race
from distillgame.models import LanguageModel
from distillgame.policies import make_policy
from distillgame.policies.seeds import context_seed, owner_key, uniform_numbers
from distillgame.values import Direction
from tests.decoding.common import PROMPTS, drafting, encoded, requests
from tests.decoding.test_exactness import COPIES, FALSE_ALARM, PARAMS, exact_distribution, p_value
from tests.models.test_alignment import PROXY, TEACHER, word_model

POE = {"poe": {"gamma": 0.5}}
KEY = owner_key(b"distillgame", "owner")
LONG = SamplingParams(temperature=1.0, max_new_tokens=30)


def marked_engine(
    teacher: LanguageModel, proxy: LanguageModel, direction: Direction, name: str, options: dict[str, Any], **how: Any
) -> Engine:
    return Engine(
        teacher, make_policy(name, options), proxies={"proxy": proxy}, directions={"proxy": direction},
        **{"calibration": drafting(), "speculative": True, **how},
    )  # fmt: skip


@pytest.mark.parametrize("params", PARAMS)
@pytest.mark.parametrize("speculative", [False, True])
def test_over_keys_keyed_sampling_follows_the_released_distribution(
    teacher: LanguageModel, proxy: LanguageModel, direction: Direction, params: SamplingParams, speculative: bool
) -> None:
    """The joint distribution of three tokens, contexts of one token so that some repeat, a key per request."""
    engine = marked_engine(
        teacher, proxy, direction, "keyed", {"width": 1, "on": POE}, speculative=speculative, batch_size=1500
    )
    asked = [replace(r, mark_key=owner_key(b"test", r.id)) for r in encoded(teacher, PROMPTS[:2], COPIES)]
    samples = engine.generate(asked, params, seed=11)
    for k, prompt in enumerate(PROMPTS[:2]):
        exact = exact_distribution(teacher, proxy, direction, make_policy("poe", POE["poe"]), prompt, params)
        found = Counter(tuple(s.token_ids) for s in samples[k * COPIES : (k + 1) * COPIES])
        assert p_value(found, exact) > FALSE_ALARM


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("keyed", {"width": 1, "on": POE}),
        ("keyed", {"width": 2}),
        ("watermark", {"delta": 2.0, "on": POE}),
        ("watermark", {"delta": 2.0, "width": 0}),
        ("fingerprint", {"lambda": 0.5}),
    ],
)
def test_traces_are_the_same_however_far_ahead_is_drafted(
    teacher: LanguageModel, proxy: LanguageModel, direction: Direction, name: str, options: dict[str, Any]
) -> None:
    """And in batches of any size, but for a derivative, whose rounding depends on the batch."""
    sizes = (64, 64, 64) if name == "fingerprint" else (64, 5, 1)
    runs = [
        marked_engine(teacher, proxy, direction, name, options, calibration=drafting(far), batch_size=size)
        for far, size in zip((True, False, True), sizes, strict=True)
    ]
    found = [[s.token_ids for s in engine.generate(requests(copies=3), LONG, seed=5)] for engine in runs]
    assert found[0] == found[1] == found[2]
    assert runs[0].counters.teacher_passes < runs[0].counters.proxy_passes


def test_speculation_marks_every_token_that_it_would_mark_alone(teacher: LanguageModel, proxy: LanguageModel) -> None:
    """Races of draft and target have the same times, so that what wins does not depend on the draft at all."""
    policy = make_policy("keyed", {"width": 3})
    params = SamplingParams(temperature=2.0, max_new_tokens=12, ignore_end=True)
    alone = Engine(teacher, policy).generate(requests(), params, seed=5)
    engine = Engine(teacher, policy, proxies={"proxy": proxy}, speculative=True, calibration=drafting())
    ahead = engine.generate(requests(), params, seed=5)
    for a, b in zip(alone, ahead, strict=True):
        fresh = first_repeat(teacher, a, 3)
        assert a.token_ids[:fresh] == b.token_ids[:fresh]
        assert fresh >= 4
    assert sum(s.accepted for s in ahead) > 0


def test_speculation_marks_across_vocabularies() -> None:
    """Races of the draft run over the tokens that the proxy shares, by the teacher's ids."""
    teacher, proxy = word_model(TEACHER, "<end>", seed=1), word_model(PROXY, "<stop>", seed=2)
    params = SamplingParams(temperature=1.0, max_new_tokens=12)
    asked = [Request(f"{k}", prompt="dog cat") for k in range(6)]
    for name, options in (("keyed", {"width": 2}), ("watermark", {"delta": 2.0})):
        policy = make_policy(name, options)
        found = []
        for far in (True, False):
            engine = Engine(teacher, policy, proxies={"proxy": proxy}, speculative=True, calibration=drafting(far))
            samples = engine.generate(asked, params, seed=3)
            found.append([s.token_ids for s in samples])
            assert sum(s.accepted for s in samples) > 0
        assert found[0] == found[1]


def contexts(teacher: LanguageModel, sample: Sample, width: int) -> list[tuple[int, ...]]:
    prompt = sample.id.split("/")[0]
    ids = [*teacher.prompt_ids([{"role": "user", "content": prompt}]), *sample.token_ids]
    start = len(ids) - len(sample.token_ids)
    return [tuple(ids[i - width : i]) for i in range(start, len(ids))]


def first_repeat(teacher: LanguageModel, sample: Sample, width: int) -> int:
    found = contexts(teacher, sample, width)
    return next((i for i in range(len(found)) if found[i] in found[:i]), len(found))


def test_the_rule_of_repeated_contexts(teacher: LanguageModel) -> None:
    """As documented: a first occurrence is the race's winner; another occurrence is the request's own draw, so that two
    requests that agree so far part only there; another owner's races, or another salt's, have other winners."""
    engine = Engine(teacher, make_policy("keyed", {"width": 2}), batch_size=64)
    params = SamplingParams(temperature=1.0, max_new_tokens=40, ignore_end=True)
    ours = engine.generate(requests(PROMPTS[:1], copies=8), params, seed=1)
    prompt = teacher.prompt_ids([{"role": "user", "content": PROMPTS[0]}])
    for sample in ours:
        seen: set[tuple[int, ...]] = set()
        for i, context in enumerate(contexts(teacher, sample, 2)):
            if context not in seen and i < 6:
                with torch.no_grad():
                    ids = torch.tensor([[*prompt, *sample.token_ids[:i]]])
                    released = torch.softmax(teacher.model(ids).logits[:, -1].double(), -1)
                seeds = torch.tensor([context_seed(KEY, context)])
                numbers = uniform_numbers(seeds, torch.arange(released.shape[1]))
                assert int(race(released, numbers)) == sample.token_ids[i]
            seen.add(context)
    fresh = min(first_repeat(teacher, sample, 2) for sample in ours)
    assert len({tuple(s.token_ids[:fresh]) for s in ours}) == 1
    assert len({tuple(s.token_ids) for s in ours}) > 1, "no context has repeated: the rest of the rule is not tested"
    theirs = engine.generate([replace(r, mark_key=owner_key(b"x", "y")) for r in requests(PROMPTS[:1])], params, seed=1)
    assert theirs[0].token_ids[:fresh] != ours[0].token_ids[:fresh]
    salted = Engine(teacher, make_policy("keyed", {"width": 2, "salts": 64}), batch_size=64)
    assert len({tuple(s.token_ids[:4]) for s in salted.generate(requests(PROMPTS[:1], copies=8), params, seed=1)}) > 4


def test_greedy_completions_and_forced_answers_carry_no_keyed_mark(teacher: LanguageModel) -> None:
    for params in (
        SamplingParams(temperature=0, max_new_tokens=12),
        SamplingParams(temperature=1, top_k=1, max_new_tokens=12),
    ):
        plain, marked = (
            [s.token_ids for s in Engine(teacher, make_policy(name)).generate(requests(), params, seed=1)]
            for name in ("standard", "keyed")
        )
        assert plain == marked
    forced = SamplingParams(temperature=0, max_new_tokens=3, forced_answer_tokens=4)
    texts, marked_texts = (
        [s.completion for s in Engine(teacher, make_policy(name)).generate(requests(), forced, seed=1)]
        for name in ("standard", "keyed")
    )
    assert texts == marked_texts


def test_a_race_follows_the_distribution_and_couples_with_another() -> None:
    """20,000 races, chi-square at a false-alarm rate of 1e-5; lost drafts within 2d/(1+d) and 5 standard errors."""
    torch.manual_seed(0)
    count = 20_000
    target, draft = torch.softmax(torch.randn(2, 30), -1)
    target[3] = 0
    target /= target.sum()
    seeds = torch.tensor([context_seed(KEY, (i,)) for i in range(count)])
    numbers = uniform_numbers(seeds, torch.arange(30))
    won = race(target.expand(count, -1), numbers)
    counts = np.bincount(won.numpy(), minlength=30)
    assert counts[3] == 0
    expected = target.double().numpy() * count
    assert chisquare(np.delete(counts, 3), np.delete(expected / expected.sum() * count, 3)).pvalue > FALSE_ALARM
    distance = float((target - draft).clamp(min=0).sum())
    lost = float((race(draft.expand(count, -1), numbers) != won).double().mean())
    assert lost <= 2 * distance / (1 + distance) + 5 * (0.25 / count) ** 0.5


def test_a_watermark_is_there_to_be_counted(teacher: LanguageModel) -> None:
    """Green tokens by the owner's key, and not by another's: at 4 standard errors."""
    engine = Engine(teacher, make_policy("watermark", {"delta": 3.0, "width": 1}), batch_size=64)
    params = SamplingParams(temperature=1.0, max_new_tokens=40, ignore_end=True)
    samples = engine.generate(requests(copies=20), params, seed=2)
    for key, marked in ((KEY, True), (owner_key(b"distillgame", "other"), False)):
        pairs = {(c, t) for s in samples for c, t in zip(contexts(teacher, s, 1), s.token_ids, strict=True)}
        seeds = torch.tensor([context_seed(key, context) for context, _ in pairs])
        numbers = uniform_numbers(seeds, torch.tensor([[token] for _, token in pairs]))[:, 0]
        score = float((numbers < 0.5).double().mean() - 0.5) / (0.25 / len(pairs)) ** 0.5
        assert score > 4 if marked else abs(score) < 4
