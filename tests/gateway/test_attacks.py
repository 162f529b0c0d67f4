"""What a client might try against the defense, one attack a test, over real sockets."""

import json
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest

from distillgame.models import load_tokenizer

from .servers import CONFIG, MODEL, Running, server

DEFAULT = {"temperature": 0.6, "top_p": 1.0}


def text_of(response: Any) -> str:
    assert response.status_code == 200, response.text
    return str(response.json()["choices"][0]["message"]["content"])


def chunks_of(response: Any) -> list[str]:
    events = [line[6:] for line in response.text.splitlines() if line.startswith("data: {")]
    return [json.loads(event)["choices"][0]["delta"]["content"] for event in events]


@pytest.mark.parametrize(
    "asked", [{"temperature": 0}, {"temperature": 0.01}, {"temperature": 2}, {"top_p": 0.01}, {"top_p": 0}]
)
def test_no_other_distribution_than_the_policys_is_sampled(running: Running, asked: dict[str, Any]) -> None:
    key = running.key()
    for seed in range(3):
        usual, other = running.ask(key, seed=seed), running.ask(key, seed=seed, **asked)
        assert text_of(other) == text_of(usual)
        assert other.headers["x-distillgame-clamped"] == next(iter(asked))
        assert "x-distillgame-clamped" not in usual.headers


def test_a_range_is_clamped_at_its_ends(running: Running) -> None:
    key = running.key("ranged")
    assert text_of(running.ask(key, seed=1, temperature=2)) == text_of(running.ask(key, seed=1, temperature=1.5))
    assert text_of(running.ask(key, seed=1, temperature=0)) == text_of(running.ask(key, seed=1, temperature=0.3))
    assert running.ask(key, max_tokens=10**9, temperature=1).headers["x-distillgame-clamped"] == "max_tokens"


def test_one_seed_under_two_temperatures_shares_no_randomness(running: Running) -> None:
    """Common random numbers would tell apart distributions that differ by less than their own noise.

    With 200 seeds and a temperature that differs by 0.001, shared numbers would agree nearly always; independent draws
    agree as often as draws with different seeds do. Five standard errors: a false alarm in a few millions.
    """
    key = running.key("ranged", owner="prober")

    def draws(temperature: float) -> list[str]:
        with ThreadPoolExecutor(16) as pool:
            return list(
                pool.map(lambda s: text_of(running.ask(key, seed=s, temperature=temperature, max_tokens=8)), range(200))
            )

    first, second = draws(1.2), draws(1.201)
    frequency = Counter(first + second)
    expected = sum((count / 400) ** 2 for count in frequency.values())
    agreed = np.mean([a == b for a, b in zip(first, second, strict=True)])
    assert expected < 0.6
    assert abs(agreed - expected) < 5 * np.sqrt(expected * (1 - expected) / 200)


def test_a_seed_does_not_carry_from_one_policy_to_another(running: Running) -> None:
    trusted, standard = running.key("trusted", "pair"), running.key("ranged", "pair")
    same = [
        text_of(running.ask(trusted, seed=seed, temperature=1, max_tokens=64))
        == text_of(running.ask(standard, seed=seed, temperature=1, max_tokens=64))
        for seed in range(30)
    ]
    # With shared numbers most of these are equal: the two policies seldom disagree on a token. By chance at most a
    # quarter are, and then more than 16 of 30 are in fewer than one run of a thousand.
    assert sum(same) <= 16


def test_a_seed_repeats_and_is_charged_again(running: Running) -> None:
    key = running.key(owner="repeater")
    assert len({text_of(running.ask(key, seed=7)) for _ in range(3)}) == 1
    charged = running.settled(owner="repeater")
    assert len(charged) == 3
    # A row of a float32 product depends in its last digits on what else is in the batch (2e-8 were seen).
    first, *others = [row.value for row in charged]
    assert others == pytest.approx([first] * 2, rel=1e-6)
    assert len({text_of(running.ask(key)) for _ in range(8)}) > 1


REFUSED: dict[str, Any] = {
    "logit_bias": {"5": 10},
    "echo": True,
    "prompt_logprobs": 5,
    "best_of": 3,
    "top_k": 5,
    "min_p": 0.1,
    "frequency_penalty": 1.0,
    "presence_penalty": -0.5,
    "repetition_penalty": 1.3,
    "response_format": {"type": "json_object"},
    "tools": [{"type": "function"}],
    "guided_choice": ["1", "2"],
    "vllm_xargs": {"distillgame_gamma": 0},
    "distillgame": {"policy": "undefended"},
    "extra_body": {"gamma": 0},
    "policy": "undefended",
    "gamma": 0.0,
    "use_beam_search": True,
    "min_tokens": 5,
    "ignore_eos": True,
    "return_token_ids": True,
}


@pytest.mark.parametrize("path", ["chat/completions", "completions"])
@pytest.mark.parametrize("field", REFUSED)
def test_fields_that_would_weaken_the_defense_are_refused(running: Running, field: str, path: str) -> None:
    response = running.ask(running.key("standard"), path=path, **dict[str, Any]({field: REFUSED[field]}))
    assert response.status_code == 400
    assert field in response.json()["error"]["message"]
    assert response.json()["error"]["param"].startswith(field)


def test_fields_that_ask_for_nothing_are_let_through(running: Running) -> None:
    nothing: dict[str, Any] = {
        "frequency_penalty": 0,
        "presence_penalty": 0.0,
        "logit_bias": None,
        "user": "someone",
        "tools": [],
    }
    assert running.ask(running.key(), response_format={"type": "text"}, store=False, **nothing).status_code == 200


@pytest.mark.parametrize("tier", ["standard", "ranged", "answer"])
def test_log_probabilities_of_a_defended_policy_are_refused(running: Running, tier: str) -> None:
    key = running.key(tier)
    for asked in ({"logprobs": True}, {"logprobs": True, "top_logprobs": 5}):
        response = running.ask(key, **asked)
        assert (response.status_code, response.json()["error"]["code"]) == (400, "logprobs_refused")
    assert running.ask(key, path="completions", logprobs=0).status_code == 400
    assert running.ask(key, logprobs=False).json()["choices"][0]["logprobs"] is None


def test_chunks_do_not_show_which_tokens_were_accepted_drafts(running: Running, tmp_path: Path) -> None:
    """Chunks are the same whether drafts were made or not, and all but the last have eight tokens."""
    config = CONFIG | {
        "engine": {"batch_size": 8, "speculative": False, "threads": 1},
        "tiers": {"standard": CONFIG["tiers"]["standard"]},
    }
    secret = f"sqlite:///{running.folder / 'ledger.db'}"
    drafted = [chunks_of(running.ask(running.key(), seed=seed, stream=True)) for seed in range(12)]
    with server(tmp_path, config, secret) as plain:
        assert [chunks_of(plain.ask(running.key(), seed=seed, stream=True)) for seed in range(12)] == drafted
    tokenizer = load_tokenizer("embedded:teacher")
    for opening, *middle, _ in drafted:
        assert opening == ""
        assert middle
        assert {len(tokenizer.encode(chunk)) for chunk in middle} == {8}


def test_only_the_answer_leaves_an_answer_only_policy(running: Running) -> None:
    key = running.key("answer", owner="asker")
    whole = text_of(running.ask(key, seed=5))
    assert whole.startswith("The final answer is ")
    stream = running.ask(key, seed=5, stream=True)
    assert [chunk for chunk in chunks_of(stream) if chunk] == [whole]
    stopped = running.ask(key, seed=5, stop=["total"])
    assert "total" not in text_of(stopped)
    assert " : " not in text_of(stopped)


def test_hidden_reasoning_cannot_be_cut_out_piece_by_piece(running: Running) -> None:
    """Of one draw, a shorter length or a stop string in the middle would show a number on the way to the answer."""
    key = running.key("answer", owner="cutter")
    whole = running.ask(key, seed=5)
    for asked in [{"max_tokens": n} for n in (1, 3, 8, 15, 20)] + [{"stop": [word]} for word in ("dog", ".", "####")]:
        cut = running.ask(key, seed=5, **dict[str, Any](asked))
        assert cut.json()["choices"] == whole.json()["choices"]
        assert cut.json()["usage"] == whole.json()["usage"]
        assert cut.headers["x-distillgame-clamped"] == next(iter(asked))


def test_of_a_completion_that_was_cut_no_answer_is_released(tmp_path: Path) -> None:
    policy = {"release": {"poe": {"gamma": 0.5, "form": "answer_only"}}, "max_tokens": 12}
    config = CONFIG | {"policies": {"answer": policy}, "tiers": {"answer": {"policy": "answer"}}}
    with server(tmp_path, config) as short:
        answer = short.ask(short.key("answer"), "9 lion , 9 crab , 9 bee , 9 zebra").json()["choices"][0]
        assert (answer["message"]["content"], answer["finish_reason"]) == ("", "length")


def test_a_long_prompt_does_not_hold_up_others(running: Running) -> None:
    key, other = running.key(owner="flooder"), running.key(owner="victim")
    usual = min(_seconds(lambda: running.ask(other)) for _ in range(5))
    with ThreadPoolExecutor(4) as pool:
        flood = [pool.submit(running.ask, key, "4 dog , " * 60_000, n=8) for _ in range(4)]
        worst = max(_seconds(lambda: running.ask(other)) for _ in range(8))
    assert {future.result().status_code for future in flood} == {400}
    # Reading half a megabyte thirty times over takes seconds; parsing four such bodies does not.
    assert worst < 10 * usual + 1


def _seconds(act: Any) -> float:
    start = time.monotonic()
    act()
    return time.monotonic() - start


@pytest.mark.parametrize("path", ["chat/completions", "completions"])
@pytest.mark.parametrize(
    "fields", [{}, {"model": "\ud800"}, {"stop": "\ud800"}, {"\ud800": 1}, {"user": "\udfff"}, {"seed": "\ud800"}]
)
def test_text_that_is_none_is_refused(running: Running, path: str, fields: dict[str, Any]) -> None:
    text = "\ud800 4 dog" if not fields else "4 dog"
    asked = {"prompt": text} if path == "completions" else {"messages": [{"role": "user", "content": text}]}
    data = json.dumps({"model": MODEL, **asked, **fields}).encode()
    headers = {"Authorization": f"Bearer {running.key()}", "Content-Type": "application/json"}
    response = httpx2.post(f"{running.base}/v1/{path}", content=data, headers=headers)
    assert response.status_code == 400
    assert "surrogate" in response.json()["error"]["message"]
    assert running.ask(running.key()).status_code == 200


def test_a_key_is_only_taken_from_its_header(running: Running) -> None:
    key = running.key()
    assert httpx2.get(f"{running.base}/v1/models?api_key={key}&key={key}").status_code == 401
    assert httpx2.get(f"{running.base}/v1/models", headers={"X-Api-Key": key}).status_code == 401
    assert httpx2.get(f"{running.base}/v1/models", headers={"Authorization": key}).status_code == 401


@pytest.mark.parametrize(
    "change", [lambda key: key[:-1], lambda key: key + "A", lambda key: key[:16] + "B" * 43, str.upper]
)
def test_a_key_that_is_nearly_right_is_wrong(running: Running, change: Any) -> None:
    assert running.ask(change(running.key())).status_code == 401


def test_neither_prompts_nor_keys_are_logged(running: Running) -> None:
    key = running.key(owner="quiet")
    running.ask(key, "7 zebra , 9 scorpion", seed=99)
    running.ask(key + "x", "7 zebra , 9 scorpion")
    running.ask(key, "7 zebra , 9 scorpion", nonsense="7 zebra , 9 scorpion")
    log = (running.folder / "log").read_text()
    assert "scorpion" not in log
    assert key not in log
    assert key.split("-", 2)[2] not in log
    assert any(line.get("owner") == "quiet" for line in running.log())


def test_kl_and_value_are_not_told_to_clients(running: Running) -> None:
    response = running.ask(running.key())
    told = json.dumps(response.json()) + json.dumps(dict(response.headers))
    assert '"kl"' not in told
    assert '"value"' not in told
