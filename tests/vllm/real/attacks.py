"""What a client might try for the teacher's own distribution: on the gateway, and past it on vLLM with the plugin."""

from typing import Any

import pytest
import torch

from distillgame.policies import ReleasePolicy, make_policy

from .scoring import Scorer
from .serving import QUESTION, ask

FIELDS: dict[str, Any] = {
    "vllm_xargs": {"distillgame_policy": "standard"}, "prompt_logprobs": 1, "logprob_token_ids": [1], "echo": True,
    "best_of": 3, "use_beam_search": True, "logit_bias": {"7": 5}, "guided_json": {"type": "object"},
    "structured_outputs": {"regex": ".*"},
}  # fmt: skip
"""Fields of vLLM's requests that the gateway refuses."""

ABSENT: dict[str, dict[str, Any]] = {
    **{path: {"text_1": "3", "text_2": "4"} for path in ("score", "v1/score")},
    **{path: {"query": "3", "documents": ["4"]} for path in ("rerank", "v1/rerank", "v2/rerank")},
    **{path: {"input": "3"} for path in ("pooling", "classify", "v1/embeddings")},
    "v2/embed": {"input_type": "query", "texts": ["3"]},
}
"""Routes of vLLM that it has for other models than those that complete texts, with bodies that it would take."""

CLOSED: dict[str, tuple[int, dict[str, Any]]] = {
    "inference/v1/generate": (403, {"token_ids": [3], "sampling_params": {"max_tokens": 1}}),  # without a flag
    "v1/systemone": (501, {"state": "3", "questions": {"a": {"type": "noul"}}}),  # for other architectures
}
"""Routes that vLLM has and does not serve, by the status that it answers to a body that it would take."""

ANSWERED: dict[str, dict[str, Any]] = {
    "tokenize": {"prompt": "3"},
    "detokenize": {"tokens": [3]},
    "generative_scoring": {"query": [3], "items": [[4]], "label_token_ids": [3]},
}
"""Routes that vLLM answers, and the gateway does not have."""


def post(client: Any, path: str, body: dict[str, Any]) -> Any:
    """Send a body to a route outside the API."""
    url = f"http://{client.base_url.host}:{client.base_url.port}/{path}"
    return client.post(url, body={"model": "distillgame", **body}, cast_to=object)


def require_absent(client: Any, routes: dict[str, dict[str, Any]]) -> None:
    """Check that there is no such route: vLLM says nothing of it, and the gateway names it."""
    import openai

    for path, body in routes.items():
        with pytest.raises(openai.NotFoundError, match=f"^Error code: 404$|Not Found: /{path}"):
            post(client, path, body)


def attack_the_gateway(client: Any) -> None:
    """Ask for what is refused, and for several answers at once: each is the greedy one of the client's own policy."""
    import openai

    for field, value in FIELDS.items():
        with pytest.raises(openai.BadRequestError, match=field):
            ask(client, extra_body={field: value})
        with pytest.raises(openai.BadRequestError, match=field):
            client.completions.create(model="distillgame", prompt="3", extra_body={field: value})
    require_absent(client, ABSENT | {path: body for path, (_, body) in CLOSED.items()} | ANSWERED)
    several = ask(client, n=3)
    assert [choice.message.content for choice in several.choices] == [ask(client).choices[0].message.content] * 3


def attack_vllm(direct: Any, scorer: Scorer) -> None:
    """Read log-probabilities off vLLM itself, or what is chosen by them: all are the strictest policy's."""
    import openai

    policy = make_policy("poe", {"gamma": 0.9})
    ids = scorer.teacher.prompt_ids(QUESTION)
    _read_the_prompt(direct, scorer, policy, ids)
    _read_the_likeliest(direct, scorer, policy, ids)
    _draw_several(direct, scorer, policy, ids)
    _search(direct, scorer, policy, ids)
    require_absent(direct, ABSENT)
    for path, (status, body) in CLOSED.items():
        with pytest.raises(openai.APIStatusError) as refused:
            post(direct, path, body)
        assert refused.value.status_code == status
    spoken = post(direct, "tokenize", {"prompt": "3 gapek", "add_special_tokens": False})
    assert spoken["tokens"] == scorer.teacher.tokenizer.encode("3 gapek", add_special_tokens=False)
    assert spoken.keys() == {"count", "max_model_len", "tokens", "token_strs"}
    read = post(direct, "detokenize", {"tokens": spoken["tokens"]})
    assert read == {"prompt": "3 gapek"}


def _read_the_prompt(direct: Any, scorer: Scorer, policy: ReleasePolicy, ids: list[int]) -> None:
    known = scorer.score(policy, ids[:1], ids[1:])
    asked = {"model": "distillgame", "prompt": ids, "max_tokens": 1, "temperature": 0}
    (read,) = direct.completions.create(**asked, extra_body={"prompt_logprobs": 0}).choices
    (echoed,) = direct.completions.create(**asked, echo=True, logprobs=0).choices
    for found in (
        [entry[str(token)]["logprob"] for entry, token in zip(read.prompt_logprobs[1:], ids[1:], strict=True)],
        echoed.logprobs.token_logprobs[1 : len(ids)],
    ):
        assert found == pytest.approx(known["logprob_released"], abs=1e-3)
        assert found != pytest.approx(known["logprob_reference"], abs=0.1)


def _read_the_likeliest(direct: Any, scorer: Scorer, policy: ReleasePolicy, ids: list[int]) -> None:
    ours, theirs = (_after(scorer, each, ids) for each in (policy, make_policy("standard")))
    for more in ({}, {"logit_bias": {"7": 5}}, {"extra_body": {"structured_outputs": {"regex": ".*"}}}):
        shown = ask(direct, temperature=1, max_tokens=1, logprobs=True, top_logprobs=5, **more)
        entries = {
            scorer.teacher.tokenizer.encode(entry.token, add_special_tokens=False)[0]: entry.logprob
            for entry in shown.choices[0].logprobs.content[0].top_logprobs
        }
        assert list(entries.values()) == pytest.approx(ours[list(entries)].tolist(), abs=1e-3)
        assert list(entries.values()) != pytest.approx(theirs[list(entries)].tolist(), abs=0.1)
    token = int((theirs.exp() - ours.exp()).argmax())
    body = {"query": ids[:-1], "items": [ids[-1:]], "label_token_ids": [token], "apply_softmax": False}
    score = post(direct, "generative_scoring", body)["data"][0]["score"]
    assert score == pytest.approx(float(ours[token].exp()), rel=1e-3)
    assert score != pytest.approx(float(theirs[token].exp()), rel=0.1)


def _draw_several(direct: Any, scorer: Scorer, policy: ReleasePolicy, ids: list[int]) -> None:
    """Several answers to one request, and the best of several, which vLLM 0.32 no longer knows."""
    drawn = direct.completions.create(
        model="distillgame", prompt=ids, n=3, max_tokens=12, temperature=1, logprobs=0,
        extra_body={"return_token_ids": True},
    ).choices  # fmt: skip
    assert len(drawn) == 3
    known = [scorer.score(policy, ids, choice.token_ids) for choice in drawn]
    for choice, scores in zip(drawn, known, strict=True):
        assert choice.logprobs.token_logprobs == pytest.approx(scores["logprob_released"], abs=1e-3)
    assert any(
        choice.logprobs.token_logprobs != pytest.approx(scores["logprob_reference"], abs=0.1)
        for choice, scores in zip(drawn, known, strict=True)
    )
    (best,) = ask(direct, extra_body={"best_of": 3}).choices
    assert best.message.content == ask(direct).choices[0].message.content


def _search(direct: Any, scorer: Scorer, policy: ReleasePolicy, ids: list[int]) -> None:
    """A beam search finds what is likeliest under the policy; it carries no word of the client's about policies."""
    for claim in ({}, {"vllm_xargs": {"distillgame_policy": "standard"}}):
        found = direct.completions.create(
            model="distillgame", prompt=ids, n=3, max_tokens=3, temperature=0,
            extra_body={"use_beam_search": True, **claim},
        ).choices  # fmt: skip
        assert [choice.text for choice in found] == _beams(scorer, policy, ids)
    assert _beams(scorer, policy, ids) != _beams(scorer, make_policy("standard"), ids)


def _beams(scorer: Scorer, policy: ReleasePolicy, ids: list[int], width: int = 3, length: int = 3) -> list[str]:
    """The texts of the likeliest beams, none of which ends so early."""
    beams: list[tuple[float, list[int]]] = [(0.0, [])]
    for _ in range(length):
        longer = []
        for total, tokens in beams:
            best = _after(scorer, policy, ids + tokens).topk(2 * width)
            pairs = zip(best.values.tolist(), best.indices.tolist(), strict=True)
            longer += [(total + value, [*tokens, token]) for value, token in pairs]
        beams = sorted(longer, reverse=True)[:width]
    return [scorer.teacher.decode(tokens) for _, tokens in beams]


def _after(scorer: Scorer, policy: ReleasePolicy, ids: list[int]) -> torch.Tensor:
    """The log-probabilities that are released after some tokens."""
    return scorer.released(policy, ids, [0])[0].released.logprobs[0]
