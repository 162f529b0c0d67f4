"""What real clients send beyond the reference: empty fields, harmless fields, other paths, headers and encodings."""

import gzip
import json
import zlib
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from distillgame.models import load_tokenizer

from ..servers import CONFIG, MODEL, Running, server

ORIGIN = "https://app.example"
TEXT = "4 dog , 3 ant"


@pytest.fixture(scope="module")
def open_to_browsers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server that browsers may call, whose clients may tell its chat template one name."""
    config = CONFIG | {
        "server": {"cors_origins": [ORIGIN], "max_body_bytes": 100_000},
        "chat_template_kwargs": ["enable_thinking"],
    }
    with server(tmp_path_factory.mktemp("browsers"), config) as found:
        yield found


def auth(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


NOTHING = ["some_new_option", "tools", "vllm_xargs", "policy", "seed", "stop", "max_tokens", "ignore_eos", "extra_body",
           "use_beam_search", "distillgame", "logprobs"]  # fmt: skip


@pytest.mark.parametrize("path", ["chat/completions", "completions"])
@pytest.mark.parametrize("value", [None, False, "", [], {}], ids=repr)
def test_fields_that_ask_for_nothing_are_accepted_whatever_their_name(running: Running, path: str, value: Any) -> None:
    asked: dict[str, Any] = dict.fromkeys(NOTHING, value)
    answer = running.ask(running.key(), path=path, **asked)
    assert answer.status_code == 200, answer.text
    assert "x-distillgame-clamped" not in answer.headers


@pytest.mark.parametrize(
    "asked",
    [
        {"gamma": 0},
        {"top_k": 3},
        {"prompt_logprobs": 0},
        {"tool_choice": "required"},
        {"tool_choice": {"type": "function", "function": {"name": "f"}}, "tools": None},
        {"skip_special_tokens": False},
        {"add_generation_prompt": False},
        {"min_tokens": 1},
        {"chat_template_kwargs": {"enable_thinking": False}},
    ],
    ids=repr,
)
def test_what_asks_for_something_is_still_refused(running: Running, asked: dict[str, Any]) -> None:
    answer = running.ask(running.key(), **asked)
    assert answer.status_code == 400
    assert next(iter(asked)) in answer.json()["error"]["message"]


HARMLESS: dict[str, Any] = {
    "tool_choice": "auto",
    "tools": None,
    "parallel_tool_calls": True,
    "keep_alive": "5m",
    "cache_prompt": True,
    "cache_control": {"type": "ephemeral"},
    "include_reasoning": True,
    "continuous_usage_stats": True,
    "id": "req-1",
    "top_k": -1,
    "min_p": 0.0,
    "repetition_penalty": 1.0,
    "skip_special_tokens": True,
    "reasoning_effort": "low",
    "chat_template_kwargs": {},
}


def test_harmless_fields_do_nothing(running: Running) -> None:
    key = running.key()
    assert running.ask(key, seed=4, **HARMLESS).json()["choices"] == running.ask(key, seed=4).json()["choices"]


def test_options_of_a_stream_that_do_nothing(running: Running) -> None:
    options = {"include_usage": True, "continuous_usage_stats": True, "include_obfuscation": False, "new": None}
    answer = running.ask(running.key(), stream=True, stream_options=options)
    assert answer.status_code == 200
    assert json.loads(answer.text.split("data: ")[-2])["usage"]["completion_tokens"] > 0


def test_what_clients_send_back_of_earlier_messages_is_not_read(running: Running) -> None:
    first: dict[str, Any] = {
        "id": "m1",
        "name": "ann",
        "cache_control": {"type": "ephemeral"},
        "tool_calls": [],
        "new": None,
    }
    part = {"type": "text", "text": TEXT, "cache_control": {"type": "ephemeral"}, "annotations": []}
    said: dict[str, Any] = {
        "reasoning_content": "4 legs each",
        "reasoning": "hm",
        "refusal": None,
        "audio": None,
        "function_call": {},
    }
    plain = [
        {"role": "system", "content": "count"},
        {"role": "user", "content": TEXT},
        {"role": "assistant", "content": "24"},
        {"role": "user", "content": TEXT},
    ]
    sent = [{**plain[0], **first}, {"role": "user", "content": [part]}, {**plain[2], **said}, plain[3]]
    key, url = running.key(), f"{running.base}/v1/chat/completions"
    answers = [
        httpx2.post(url, json={"model": MODEL, "messages": messages, "seed": 1}, headers=auth(key), timeout=60).json()
        for messages in (plain, sent)
    ]
    assert answers[0]["choices"] == answers[1]["choices"]
    for field in ({"prefix": True}, {"tool_calls": [{"id": "x"}]}):
        body = {"model": MODEL, "messages": [{"role": "assistant", "content": "24", **field}]}
        refused = httpx2.post(url, json=body, headers=auth(key))
        assert refused.status_code == 400
        assert next(iter(field)) in refused.json()["error"]["message"]


def test_clients_tell_the_chat_template_what_the_owner_allows(open_to_browsers: Running) -> None:
    key = open_to_browsers.key()
    told = open_to_browsers.ask(key, chat_template_kwargs={"enable_thinking": False})
    assert told.status_code == 200
    for kwargs, named in (
        ({"enable_thinking": True, "chat_template": "{{ 1 }}"}, "chat_template_kwargs.chat_template"),
        ({"enable_thinking": {"a": 1}}, "chat_template_kwargs.enable_thinking"),
    ):
        refused = open_to_browsers.ask(key, chat_template_kwargs=kwargs)
        assert refused.status_code == 400
        assert named in refused.json()["error"]["message"]


STAINLESS = (
    "authorization,content-type,user-agent,x-stainless-arch,x-stainless-lang,x-stainless-os,x-stainless-package-version,"
    "x-stainless-retry-count,x-stainless-runtime,x-stainless-runtime-version,x-stainless-timeout,openai-organization"
)


def test_the_preflight_of_openais_browser_client(open_to_browsers: Running) -> None:
    url = f"{open_to_browsers.base}/v1/chat/completions"
    asked = {
        "Origin": ORIGIN,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": STAINLESS,
    }
    answer = httpx2.options(url, headers=asked)
    assert answer.status_code == 200
    allowed = {name.strip() for name in answer.headers["access-control-allow-headers"].lower().split(",")}
    assert set(STAINLESS.split(",")) <= allowed
    assert httpx2.options(url, headers=asked | {"Origin": "https://evil.example"}).status_code == 400
    body = {"model": MODEL, "messages": [{"role": "user", "content": TEXT}], "temperature": 2}
    key = open_to_browsers.key()
    for headers in (auth(key), auth("dg-wrong")):
        answer = httpx2.post(url, json=body, headers={**headers, "Origin": ORIGIN}, timeout=60)
        assert answer.headers["access-control-allow-origin"] == ORIGIN
        exposed = answer.headers["access-control-expose-headers"].lower()
        assert {"x-request-id", "x-distillgame-clamped", "retry-after"} <= set(exposed.split(", "))


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/health", "/v1/models", f"/v1/models/{MODEL}"])
def test_head_is_get_without_a_body(running: Running, path: str) -> None:
    headers = auth(running.key())
    whole, head = (httpx2.request(method, running.base + path, headers=headers) for method in ("GET", "HEAD"))
    assert (whole.status_code, head.status_code, head.content) == (200, 200, b"")
    assert head.headers["content-length"] == whole.headers["content-length"]
    # Nothing of a body is left on the connection, where it would be read as the next response.
    with httpx2.Client(base_url=running.base, headers=headers) as client:
        assert [client.request(method, path).status_code for method in ("HEAD", "GET", "HEAD")] == [200] * 3


def test_head_needs_a_key_where_get_does(running: Running) -> None:
    assert httpx2.head(f"{running.base}/v1/models").status_code == 401
    assert httpx2.head(f"{running.base}/v1/chat/completions", headers=auth(running.key())).status_code == 405


@pytest.mark.parametrize("path", ["/v1/chat/completions/", "/v1//chat/completions", "//v1/chat/completions//"])
def test_slashes_are_no_redirect(running: Running, path: str) -> None:
    body = {"model": MODEL, "messages": [{"role": "user", "content": TEXT}]}
    answer = httpx2.post(running.base + path, json=body, headers=auth(running.key()), timeout=60)
    assert answer.status_code == 200
    assert httpx2.post(running.base + path, json=body).status_code == 401


@pytest.mark.parametrize("path", ["/healthz/", "/health/", "/v1/models/"])
def test_slashes_after_what_is_read_are_no_redirect(running: Running, path: str) -> None:
    assert httpx2.get(running.base + path, headers=auth(running.key())).status_code == 200


@pytest.mark.parametrize("path", ["/dashboard/", "//dashboard", "/metrics/", "//metrics"])
def test_slashes_do_not_lead_around_the_admin_key(running: Running, path: str) -> None:
    assert httpx2.get(running.base + path).status_code == 401
    assert httpx2.get(running.base + path, headers=auth(running.key())).status_code == 403


def test_the_header_of_azures_client_holds_a_key(running: Running) -> None:
    url, key = f"{running.base}/v1/models", running.key()
    assert httpx2.get(url, headers={"api-key": key}).status_code == 200
    assert httpx2.get(url, headers={"api-key": key + "x"}).status_code == 401
    assert httpx2.get(url, headers={"api-key": key, **auth("dg-wrong")}).status_code == 401


def compressed(running: Running, data: bytes, encoding: str) -> httpx2.Response:
    headers = {**auth(running.key()), "Content-Type": "application/json", "Content-Encoding": encoding}
    return httpx2.post(f"{running.base}/v1/completions", content=data, headers=headers, timeout=60)


def test_bodies_may_be_compressed(open_to_browsers: Running) -> None:
    data = json.dumps({"model": MODEL, "prompt": "4 dog", "max_tokens": 2}).encode()
    parts = gzip.compress(data[:10]) + gzip.compress(data[10:])
    for body, encoding in (
        (gzip.compress(data), "gzip"),
        (gzip.compress(data), "X-GZIP"),
        (parts, "gzip"),
        (zlib.compress(data), "deflate"),
        (data, "identity"),
    ):
        assert compressed(open_to_browsers, body, encoding).status_code == 200, encoding


def test_compressed_bodies_are_bounded_and_sound(open_to_browsers: Running) -> None:
    data = json.dumps({"model": MODEL, "prompt": "4 dog", "max_tokens": 2}).encode()
    bomb = gzip.compress(b" " * 50_000_000)
    assert len(bomb) < 100_000
    assert compressed(open_to_browsers, bomb, "gzip").status_code == 413
    assert compressed(open_to_browsers, gzip.compress(b" " * 60_000) * 2, "gzip").status_code == 413
    assert compressed(open_to_browsers, gzip.compress(data)[:-9], "gzip").status_code == 400
    assert compressed(open_to_browsers, data, "gzip").status_code == 400
    refused = compressed(open_to_browsers, data, "br")
    assert refused.status_code == 415
    assert "gzip" in refused.json()["error"]["message"]


def test_token_ids_are_continued_as_their_text_is(running: Running) -> None:
    tokenizer, key = load_tokenizer("embedded:teacher"), running.key("trusted")
    ids = tokenizer.encode(TEXT)

    def ask(prompt: Any) -> Any:
        body = {"model": MODEL, "prompt": prompt, "temperature": 0.1, "max_tokens": 12, "seed": 3}
        return httpx2.post(f"{running.base}/v1/completions", json=body, headers=auth(key), timeout=60).json()

    by_text, by_ids, both = ask(TEXT), ask(ids), ask([ids, ids[:2]])
    assert by_ids["usage"] == by_text["usage"]
    assert [choice["index"] for choice in both["choices"]] == [0, 1]
    assert both["choices"][0]["text"] == by_ids["choices"][0]["text"]
    for wrong, said in (([10**6], "no token 1000000"), ([-1], "prompt"), ([[]], "prompt"), ([1, "a"], "prompt")):
        refused = ask(wrong)["error"]
        assert said in refused["message"] + str(refused["param"])


def test_token_ids_are_answered_under_a_defended_policy(running: Running) -> None:
    ids = load_tokenizer("embedded:teacher").encode(TEXT)
    body = {"model": MODEL, "prompt": ids, "max_tokens": 5}
    answer = httpx2.post(f"{running.base}/v1/completions", json=body, headers=auth(running.key()), timeout=60)
    assert answer.json()["usage"] == {"prompt_tokens": len(ids), "completion_tokens": 5, "total_tokens": len(ids) + 5}
