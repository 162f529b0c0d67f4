"""What vLLM releases is what our own engine releases: tokens, measures and forced answers, in mixed batches."""

import re
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoConfig

from distillgame.decoding import Engine, Request, Sample, SamplingParams
from distillgame.models import LanguageModel, locate
from distillgame.policies import make_policy
from distillgame.values import Direction
from distillgame.vllm.padding import HeadPadding

from .conftest import PROXIES, Player
from .scoring import Scorer

# So strong that greedy tokens differ from the teacher's; gamma .4 changed them on one prompt of 64.
PLAIN: list[tuple[str, dict[str, Any]]] = [
    ("standard", {}),
    ("temperature", {"temperature": 1.2}),
    ("poe", {"gamma": 0.7}),
    ("poe", {"gamma": 0.7, "proxies": {"proxy": 1, "half": 2}}),
    ("equilibrium_gap", {"eta": 0.6, "kappa": 1.66}),
]
DIRECTED: list[tuple[str, dict[str, Any]]] = [
    ("ads", {"lambda": 0.5}),
    ("equilibrium_grad", {"eta": 0.15, "kappa": 0.98}),
    ("standard", {}),
]
PARAMS = {"temperature": 0.0, "max_new_tokens": 40, "forced_answer_tokens": 6, "top_logprobs": 3}


def spread(prompts: list[list[int]], policies: int) -> list[tuple[int, list[int]]]:
    """Every prompt under every policy, all in one batch."""
    return [(policy, prompt) for prompt in prompts for policy in range(policies)]


def ours(
    teacher: LanguageModel,
    proxies: dict[str, LanguageModel],
    policy: tuple[str, dict[str, Any]],
    prompts: list[list[int]],
    params: dict[str, Any],
    directions: dict[str, Direction] | None = None,
) -> list[Sample]:
    engine = Engine(
        teacher, make_policy(*policy), proxies=proxies, directions=directions, derivative="central", batch_size=64
    )
    requests = [Request(f"r{i}", prompt=tuple(ids), forced_answer="\n#### ") for i, ids in enumerate(prompts)]
    return engine.generate(requests, SamplingParams(**params))


def require_equal(found: list[Sample], expected: list[Sample]) -> None:
    for theirs, mine in zip(found, expected, strict=True):
        assert theirs.error == ""
        assert theirs.token_ids == mine.token_ids
        assert (theirs.completion, theirs.finish_reason) == (mine.completion, mine.finish_reason)
        assert theirs.forced_tokens == mine.forced_tokens
        assert theirs.top_ids == mine.top_ids


TWO_RANKS: dict[str, Any] = {
    "tensor_parallel_size": 2, "distributed_executor_backend": "mp", "env": {"VLLM_CPU_OMP_THREADS_BIND": "0|0"},
}  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        ({"max_num_seqs": 256}, 64),
        ({"enable_prefix_caching": False, "enable_chunked_prefill": True, "max_num_batched_tokens": 64}, 12),
        (TWO_RANKS, 12),
    ],
    ids=["plain", "chunked prefill, no prefix caching", "two ranks"],
)
def test_greedy_tokens_are_those_of_our_engine_with_all_policies_in_one_batch(
    play: Player,
    teacher: LanguageModel,
    proxies: dict[str, LanguageModel],
    prompts: list[list[int]],
    arguments: dict[str, Any],
    count: int,
) -> None:
    prompts = prompts[:count]
    found = play(PLAIN, spread(prompts, len(PLAIN)), PARAMS, **arguments)
    for i, policy in enumerate(PLAIN):
        require_equal(found[i :: len(PLAIN)], ours(teacher, proxies, policy, prompts, PARAMS))
    texts = [[sample.token_ids for sample in found[i :: len(PLAIN)]] for i in range(len(PLAIN))]
    assert all(text not in texts[:i] for i, text in enumerate(texts) if i > 1)


def test_greedy_tokens_are_the_same_where_prompts_begin_alike_and_their_beginnings_are_cached(
    play: Player,
    teacher: LanguageModel,
    proxies: dict[str, LanguageModel],
    prompts: list[list[int]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Each prompt begins with two full blocks that all policies share; one of 128, the default, would hold all."""
    beginning = (prompts[0] * 12)[:70]
    prompts = [beginning + prompt for prompt in prompts[:12]]
    found = play(PLAIN, spread(prompts, len(PLAIN)), PARAMS, block_size=32)
    cached = re.search(r"CACHED: (\d+) of", capsys.readouterr().out)
    assert cached is not None
    assert int(cached[1]) >= 64 * (len(found) - 1)
    for i, policy in enumerate(PLAIN):
        require_equal(found[i :: len(PLAIN)], ours(teacher, proxies, policy, prompts, PARAMS))


def test_policies_with_derivatives_release_greedy_tokens_of_our_engine(
    play: Player,
    teacher: LanguageModel,
    proxies: dict[str, LanguageModel],
    directions: dict[str, Direction],
    prompts: list[list[int]],
) -> None:
    """ADS never changes a greedy token, and the equilibrium only if it is strong."""
    policies = [("equilibrium_grad", {"eta": 5, "kappa": 0.98}), *DIRECTED]
    found = play(policies, spread(prompts[:20], len(policies)), PARAMS, directed=True)
    for i, policy in enumerate(policies):
        require_equal(found[i :: len(policies)], ours(teacher, proxies, policy, prompts[:20], PARAMS, directions))
    assert [sample.token_ids for sample in found[::4]] != [sample.token_ids for sample in found[3::4]]


def test_the_proxy_as_draft_model_changes_no_greedy_token(
    play: Player,
    teacher: LanguageModel,
    proxies: dict[str, LanguageModel],
    prompts: list[list[int]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As on a GPU, but for its heads, for which there is no kernel on a CPU: a copy with larger ones drafts."""
    proxy = locate(PROXIES["proxy"]).name
    HeadPadding(AutoConfig.from_pretrained(proxy)).save(Path(proxy), tmp_path / "draft")
    draft = {"method": "draft_model", "model": str(tmp_path / "draft"), "num_speculative_tokens": 3}
    prompts = prompts[:12]
    found = play(PLAIN, spread(prompts, len(PLAIN)), PARAMS, speculative_config=draft)
    for i, policy in enumerate(PLAIN):
        require_equal(found[i :: len(PLAIN)], ours(teacher, proxies, policy, prompts, PARAMS))
    # Without accepted drafts, the longest completion would take a step per token.
    steps = re.search(r"STEPS: (\d+)", capsys.readouterr().out)
    assert steps is not None
    assert int(steps[1]) < max(len(sample.token_ids) for sample in found)


@pytest.mark.parametrize(
    ("policies", "arguments"),
    [(PLAIN, {}), (DIRECTED, {}), (DIRECTED, TWO_RANKS)],
    ids=["forward passes", "derivatives", "derivatives on two ranks"],
)
def test_measures_are_those_of_the_models_for_the_same_tokens(
    play: Player,
    teacher: LanguageModel,
    proxies: dict[str, LanguageModel],
    directions: dict[str, Direction],
    prompts: list[list[int]],
    policies: list[tuple[str, dict[str, Any]]],
    arguments: dict[str, Any],
) -> None:
    """Each sampled token is put to the models once more, with all before it."""
    params = {"temperature": 0.8, "top_p": 0.95, "max_new_tokens": 30}
    requests, directed = spread(prompts[:8], len(policies)), policies is DIRECTED
    found = play(policies, requests, params, directed=directed, seed=3, **arguments)
    scorer = Scorer(teacher, proxies, directions, params["temperature"])
    for i, policy in enumerate(policies):
        for sample, prompt in zip(found[i :: len(policies)], prompts[:8], strict=True):
            again = scorer.score(make_policy(*policy), prompt, sample.token_ids)
            for name, expected in again.items():
                assert getattr(sample, name) == pytest.approx(expected, rel=1e-3, abs=2e-4), (policy, name)
