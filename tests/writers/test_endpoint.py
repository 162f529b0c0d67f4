"""Endpoints over real sockets: what is asked, what is repeated, what is refused in words."""

import time
from typing import Any

import pytest

from distillgame.decoding import Request, SamplingParams
from distillgame.errors import DistillgameError
from distillgame.models import Endpoint
from distillgame.strict import parse
from distillgame.writers import EndpointWriter
from tests.endpoints import Reply, Script, completion, endpoint

REQUESTS = [Request(str(i), [{"role": "user", "content": f"say {i}"}]) for i in range(6)]
PARAMS = SamplingParams(temperature=0.5, max_new_tokens=9)


def echo(body: dict[str, Any], before: int) -> Reply:
    return completion(body["messages"][0]["content"].removeprefix("say "))


def writer(url: str, **fields: Any) -> EndpointWriter:
    return EndpointWriter(Endpoint(endpoint=url, model="m", **fields))


def test_every_text_answers_its_own_request() -> None:
    def slow(body: dict[str, Any], before: int) -> Reply:
        time.sleep(0.05 * (6 - before))
        return echo(body, before)

    told: list[tuple[int, int]] = []
    with endpoint(slow) as listening:
        written = writer(listening.url, concurrency=3).write(REQUESTS, PARAMS, 0, lambda *done: told.append(done))
        assert listening.most == 3
    assert [text.text for text in written] == list("012345")
    assert [(text.prompt_tokens, text.tokens, text.finish_reason) for text in written] == [(7, 3, "stop")] * 6
    assert told == [(i, 6) for i in range(1, 7)]


def test_a_request_says_what_is_asked_and_the_owner_adds_or_leaves_out_fields(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIGHT_KEY", "sesame")
    monkeypatch.setenv("OPENAI_API_KEY", "of another service")
    extra = {"max_tokens": None, "max_completion_tokens": 5}
    with endpoint(echo) as listening:
        writer(listening.url, api_key_env="RIGHT_KEY", extra=extra).write(REQUESTS[:1], PARAMS, 1)
        writer(listening.url).write(REQUESTS[:1], PARAMS, 1)
        writer(listening.url).write(REQUESTS[:1], PARAMS, 2)
    changed, plain, other = listening.asked
    assert plain.pop("seed") == changed.pop("seed") != other.pop("seed")
    assert plain == {
        "model": "m", "messages": REQUESTS[0].messages, "temperature": 0.5, "top_p": 1.0, "max_tokens": 9
    }  # fmt: skip
    assert changed == {
        **{name: value for name, value in plain.items() if name != "max_tokens"},
        "max_completion_tokens": 5,
    }
    assert listening.keys == ["Bearer sesame", "Bearer none", "Bearer none"]


def test_rates_are_respected_and_failures_repeated() -> None:
    def busy(body: dict[str, Any], before: int) -> Reply:
        if before == 0:
            return Reply({"error": "busy"}, 429, {"Retry-After": "1"})
        return Reply("<html>", 502) if before == 1 else echo(body, before)

    with endpoint(busy) as listening:
        start = time.monotonic()
        assert writer(listening.url).write(REQUESTS[:1], PARAMS, 0)[0].text == "0"
        assert time.monotonic() - start >= 1
        assert len(listening.asked) == 3


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (lambda *_: Reply({"error": {"message": "no such model"}}, 404), "answered 404: .*no such model"),
        (lambda *_: Reply({"error": "busy"}, 429), "answered 429"),
        (lambda *_: Reply({"choices": []}), "something else than a completion"),
        (lambda *_: Reply("[1]"), "something else than a completion"),
        (lambda *_: Reply("{nonsense"), "something else than a completion"),
        (lambda *_: Reply({"choices": [{"message": {"content": 3}}]}), "something else than a completion"),
    ],
)
def test_what_cannot_be_had_is_refused_in_words(script: Script, message: str) -> None:
    with (
        endpoint(script) as listening,
        pytest.raises(DistillgameError, match=f"^endpoint {listening.url}: .*{message}"),
    ):
        writer(listening.url, retries=0).write(REQUESTS, PARAMS, 0)


def test_an_endpoint_that_hangs_or_is_not_there_is_given_up() -> None:
    def hang(body: dict[str, Any], before: int) -> Reply:
        time.sleep(1)
        return echo(body, before)

    with endpoint(hang) as listening, pytest.raises(DistillgameError, match="timed out"):
        writer(listening.url, retries=0, timeout=0.2).write(REQUESTS[:1], PARAMS, 0)
    with pytest.raises(DistillgameError, match="Connection error"):
        writer(listening.url, retries=0).write(REQUESTS[:1], PARAMS, 0)


def test_refusals_and_cut_texts_are_told_apart_from_finished_ones() -> None:
    answers = [completion(None, "content_filter"), completion("half a", "length")]
    with endpoint(lambda body, before: answers[int(body["messages"][0]["content"][-1])]) as listening:
        refused, cut = writer(listening.url).write(REQUESTS[:2], PARAMS, 0)
    assert (refused.text, refused.finish_reason) == ("", "content_filter")
    assert (cut.text, cut.finish_reason) == ("half a", "length")


def test_bad_descriptions_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_KEY", raising=False)
    with pytest.raises(DistillgameError, match="the environment has no 'NO_KEY'"):
        writer("http://127.0.0.1:1/v1", api_key_env="NO_KEY")
    with pytest.raises(DistillgameError, match=r"here: endpoint: an http:// or https:// address \(found 'ftp://x'\)"):
        parse(Endpoint, {"endpoint": "ftp://x", "model": "m"}, "here")
