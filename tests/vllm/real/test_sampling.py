"""Sampled tokens follow the released distribution, jointly over two tokens, with two tiers in one batch."""

from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from distillgame.decoding import Sample
from distillgame.decoding.drawing.sampler import truncate
from distillgame.models import LanguageModel, locate
from distillgame.policies import make_policy
from distillgame.values import Direction

from .conftest import Player
from .scoring import Scorer

TRACES = 3000
TEMPERATURE, TOP_P = 1.4, 0.95
PARAMS = {"temperature": TEMPERATURE, "top_p": TOP_P, "max_new_tokens": 2, "ignore_end": True}
TIERS: list[tuple[str, dict[str, Any]]] = [("poe", {"gamma": 0.5}), ("standard", {})]
FALSE_ALARM = 1e-5

OPEN = 6
"""Tokens of a prompt that breaks off, so that about a thousand pairs may follow."""


def joint(scorer: Scorer, policy: tuple[str, dict[str, Any]], prompt: list[int]) -> dict[tuple[int, int], float]:
    """The exact probability of every pair of tokens."""

    def after(tokens: list[int]) -> torch.Tensor:
        found, _ = scorer.released(make_policy(*policy), prompt + tokens, [])
        kept = truncate(found.released.probabilities[-1:], TOP_P)[0]
        return kept / kept.sum()

    first = after([])
    pairs = {}
    for token in first.nonzero().flatten().tolist():
        second = after([token])
        for other in second.nonzero().flatten().tolist():
            pairs[token, other] = float(first[token] * second[other])
    return pairs


def p_value(samples: list[Sample], expected: dict[tuple[int, int], float]) -> float:
    """The p-value of the pairs; those that are expected fewer than five times are counted together."""
    counts: dict[tuple[int, int], int] = {}
    for sample in samples:
        pair = (sample.token_ids[0], sample.token_ids[1])
        counts[pair] = counts.get(pair, 0) + 1
    impossible = sum(count for pair, count in counts.items() if pair not in expected)
    if impossible:
        return 0.0
    frequent = [pair for pair, share in expected.items() if share * len(samples) >= 5]
    seen = np.array([counts.get(pair, 0) for pair in frequent], dtype=float)
    wanted = np.array([expected[pair] * len(samples) for pair in frequent])
    rest = len(samples) - seen.sum(), len(samples) - wanted.sum()
    if rest[1] >= 5:
        seen, wanted = np.append(seen, rest[0]), np.append(wanted, rest[1])
    return float(chisquare(seen, wanted * seen.sum() / wanted.sum()).pvalue)


@pytest.fixture(scope="module")
def scorer(teacher: LanguageModel, proxies: dict[str, LanguageModel], directions: dict[str, Direction]) -> Scorer:
    return Scorer(teacher, proxies, directions, TEMPERATURE)


def test_pairs_of_tokens_follow_the_released_distribution_in_both_tiers(
    play: Player, scorer: Scorer, prompts: list[list[int]]
) -> None:
    """False alarms: 1e-5 per tier. The same test catches a mixing weight of .4 in place of .5, and swapped tiers."""
    prompt = prompts[0][:OPEN]
    found = play(TIERS, [(i % 2, prompt) for i in range(2 * TRACES)], PARAMS, seed=11, max_num_seqs=256)
    tables = [joint(scorer, policy, prompt) for policy in TIERS]
    assert p_value(found[0::2], tables[0]) > FALSE_ALARM
    assert p_value(found[1::2], tables[1]) > FALSE_ALARM
    assert p_value(found[0::2], joint(scorer, ("poe", {"gamma": 0.4}), prompt)) < FALSE_ALARM
    assert p_value(found[0::2], tables[1]) < FALSE_ALARM


@pytest.mark.xfail(
    reason="vLLM 0.32's CPU build draws wrongly when it speculates at a temperature, undefended, too "
    "(expand_batch_to_tokens)",
    raises=AssertionError,
    strict=True,
)
def test_speculated_pairs_follow_the_released_distribution(
    play: Player, scorer: Scorer, prompts: list[list[int]]
) -> None:
    draft = {"method": "draft_model", "model": locate("embedded:bestiary-teacher").name, "num_speculative_tokens": 1}
    prompt = prompts[0][:OPEN]
    found = play(
        TIERS, [(i % 2, prompt) for i in range(2 * TRACES)], PARAMS, seed=11, max_num_seqs=256, speculative_config=draft
    )
    for i, policy in enumerate(TIERS):
        assert p_value(found[i::2], joint(scorer, policy, prompt)) > FALSE_ALARM
