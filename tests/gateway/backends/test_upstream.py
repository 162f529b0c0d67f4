"""The gateway in front of another server: one that is not ours, and one that is."""

import json
import os
import re
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from distillgame.errors import DistillgameError
from distillgame.gateway.backends import UpstreamBackend
from distillgame.gateway.config import load_serving

from ..servers import CONFIG, MODEL, Running, server
from .raw import chunk, event, stream, usage

WORDS = ["four ", "dogs ", "have ", "sixteen ", "legs"]


class Stranger:
    """An OpenAI-compatible server that knows nothing of us."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.behaviour = "sound"
        self.script = b""
        self.cancelled = 0
        self.released = threading.Semaphore(0)
        routes = [
            Route("/v1/models", self.models),
            Route("/v1/chat/completions", self.complete, methods=["POST"]),
            Route("/v1/completions", self.complete, methods=["POST"]),
        ]
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.server = uvicorn.Server(uvicorn.Config(Starlette(routes=routes), port=self.port, log_config=None))
        self.thread = threading.Thread(target=self.server.run)
        self.thread.start()
        while not self.server.started:
            time.sleep(0.01)

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join()

    async def models(self, _: Request) -> Response:
        return JSONResponse({"object": "list", "data": [{"id": "theirs"}]})

    async def complete(self, request: Request) -> Response:
        body = await request.json()
        self.seen.append(body)
        self.headers.append(dict(request.headers) | {"x-test-port": str(request.client.port if request.client else 0)})
        if self.behaviour == "busy":
            return JSONResponse({"error": {"message": "later"}}, 429, {"retry-after": "7"})
        if self.behaviour == "bad request":
            return JSONResponse({"error": {"message": "the prompt is too long"}}, 400)
        if self.behaviour == "script":
            return Response(self.script, media_type="text/event-stream")
        if self.behaviour == "broken":
            return Response("oh no", 500)
        return StreamingResponse(
            self.chunks(request.url.path.endswith("chat/completions")), media_type="text/event-stream"
        )

    async def chunks(self, chat: bool) -> AsyncIterator[str]:
        import asyncio

        try:
            for word in WORDS:
                choice = {"delta": {"content": word}} if chat else {"text": word}
                yield f"data: {json.dumps({'choices': [{'index': 0, **choice, 'finish_reason': None}]})}\n\n"
                if self.behaviour == "nonsense":
                    yield "data: {nonsense\n\n"
                if self.behaviour == "usage all along":
                    usage = {"prompt_tokens": 11, "completion_tokens": 1 + WORDS.index(word)}
                    yield f"data: {json.dumps({'choices': [], 'usage': usage})}\n\n"
                # The next word comes when a test has seen this one.
                while self.behaviour == "slow" and not self.released.acquire(blocking=False):
                    await asyncio.sleep(0.01)
            if self.behaviour == "cut":
                return
            yield f"data: {json.dumps({'choices': [{'index': 0, 'delta': {}, 'finish_reason': 'length'}]})}\n\n"
            if self.behaviour == "no usage":
                yield "data: [DONE]\n\n"
                return
            usage = {"prompt_tokens": 11, "completion_tokens": 6}
            yield f"data: {json.dumps({'choices': [], 'usage': usage})}\n\ndata: [DONE]\n\n"
        except (asyncio.CancelledError, GeneratorExit):
            self.cancelled += 1
            raise


@pytest.fixture(scope="module")
def stranger() -> Iterator[Stranger]:
    made = Stranger()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def gateway(stranger: Stranger, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    tiers = {
        "standard": {"policy": "poe"},
        "answer": {"policy": "answer"},
        "few": {"policy": "poe", "budget": {"tokens_per_day": 700, "beyond": "refuse"}},
    }
    config = CONFIG | {
        "tiers": tiers,
        "upstream": {"url": f"http://127.0.0.1:{stranger.port}/v1", "model": "theirs", "api_key_env": "THEIR_KEY"},
    }
    with server(tmp_path_factory.mktemp("gateway"), config, env={"THEIR_KEY": "sk-theirs"}) as found:
        yield found


@pytest.fixture(autouse=True)
def sound(stranger: Stranger) -> None:
    stranger.behaviour = "sound"
    stranger.seen.clear()
    stranger.headers.clear()


def test_a_request_goes_through_with_the_policys_strength(gateway: Running, stranger: Stranger) -> None:
    key = gateway.key(owner="through")
    answer = gateway.ask(key, "how many legs", temperature=2, seed=5, stop=["x"], max_tokens=50).json()
    assert answer["choices"][0]["message"]["content"] == "".join(WORDS)
    assert answer["choices"][0]["finish_reason"] == "length"
    assert answer["model"] == MODEL
    assert answer["usage"] == {"prompt_tokens": 11, "completion_tokens": 6, "total_tokens": 17}
    (seen,) = stranger.seen
    assert seen["vllm_xargs"] == {"distillgame_policy": "poe", "distillgame_gamma": 0.5}
    assert (seen["model"], seen["temperature"], seen["max_tokens"], seen["stop"]) == ("theirs", 0.6, 50, ["x"])
    assert seen["seed"] != 5
    assert stranger.headers[0]["authorization"] == "Bearer sk-theirs"
    assert key not in json.dumps(stranger.headers)


def test_clients_cannot_set_the_strength_themselves(gateway: Running, stranger: Stranger) -> None:
    for field in ("vllm_xargs", "extra_args", "distillgame", "distillgame_gamma"):
        assert gateway.ask(gateway.key(), **dict[str, Any]({field: {"distillgame_gamma": 0}})).status_code == 400
    assert stranger.seen == []


def test_what_nobody_measured_is_null_in_the_ledger(gateway: Running) -> None:
    key = gateway.key(owner="unmeasured")
    assert gateway.ask(key).status_code == 200
    (row,) = gateway.settled(owner="unmeasured")
    assert (row.tokens, row.kl, row.value, row.prompt_tokens, row.outcome) == (6, None, None, 11, "finished")


def test_a_stream_comes_in_pieces_and_is_settled_by_its_usage(gateway: Running, stranger: Stranger) -> None:
    stranger.behaviour = "slow"
    key = gateway.key(owner="streamer")
    body = {"model": MODEL, "messages": [{"role": "user", "content": "legs"}], "stream": True}
    pieces = []
    with httpx2.stream("POST", f"{gateway.base}/v1/chat/completions", json=body,
                       headers={"Authorization": f"Bearer {key}"}) as response:  # fmt: skip
        for line in response.iter_lines():
            if line.startswith("data: {"):
                pieces.append(json.loads(line[6:])["choices"][0]["delta"].get("content", ""))
                if pieces[-1]:
                    stranger.released.release()
    assert [piece for piece in pieces if piece] == WORDS
    assert [row.tokens for row in gateway.settled(owner="streamer")] == [6]


def test_a_client_that_leaves_pays_an_upper_bound_and_the_upstream_is_told(
    gateway: Running, stranger: Stranger
) -> None:
    stranger.behaviour = "slow"
    key, before = gateway.key(owner="leaver"), stranger.cancelled
    body = {"model": MODEL, "messages": [{"role": "user", "content": "legs"}], "stream": True}
    with httpx2.stream("POST", f"{gateway.base}/v1/chat/completions", json=body,
                       headers={"Authorization": f"Bearer {key}"}) as response:  # fmt: skip
        next(response.iter_lines())
    (row,) = gateway.settled(owner="leaver")
    assert row.outcome == "cancelled"
    assert row.tokens >= 1
    end = time.monotonic() + 60
    while stranger.cancelled == before and time.monotonic() < end:
        time.sleep(0.02)
    assert stranger.cancelled > before


def test_texts_and_forms_pass_too(gateway: Running) -> None:
    text = gateway.ask(gateway.key(), "four", path="completions", n=2).json()
    assert [choice["text"] for choice in text["choices"]] == ["".join(WORDS)] * 2
    answer = gateway.ask(gateway.key("answer")).json()
    assert "dogs" not in answer["choices"][0]["message"]["content"]


def test_a_budget_of_tokens_holds(gateway: Running) -> None:
    key = gateway.key("few", "frugal")
    statuses = [gateway.ask(key).status_code for _ in range(120)]
    assert statuses[0] == 200
    assert statuses[-1] == 429
    assert sum(row.tokens for row in gateway.settled(owner="frugal")) <= 700


@pytest.mark.parametrize(
    ("behaviour", "status"), [("busy", 503), ("bad request", 400), ("broken", 502), ("cut", 502), ("nonsense", 502)]
)
def test_an_upstreams_failure_is_said(gateway: Running, stranger: Stranger, behaviour: str, status: int) -> None:
    stranger.behaviour = behaviour
    key = gateway.key(owner=f"fails-{status}-{behaviour.replace(' ', '-')}")
    answer = gateway.ask(key)
    assert answer.status_code == status
    assert answer.headers.get("retry-after") == ("7" if behaviour == "busy" else None)
    if behaviour == "bad request":
        assert "too long" in answer.json()["error"]["message"]
    for row in gateway.settled(owner=f"fails-{status}-{behaviour.replace(' ', '-')}"):
        assert (row.outcome, row.tokens) == ("error", 0)


@pytest.mark.parametrize(("behaviour", "tokens"), [("usage all along", 6), ("no usage", len("".join(WORDS)))])
@pytest.mark.parametrize("stream", [False, True])
def test_usage_comes_as_servers_like(
    gateway: Running, stranger: Stranger, behaviour: str, tokens: int, stream: bool
) -> None:
    """At the end, in every chunk, or not at all: then the bytes stand, of which a token has at least one."""
    stranger.behaviour = behaviour
    owner = f"usage-{tokens}-{stream}"
    answer = gateway.ask(gateway.key(owner=owner), stream=stream)
    assert answer.status_code == 200
    if not stream:
        assert answer.json()["choices"][0]["message"]["content"] == "".join(WORDS)
    assert [row.tokens for row in gateway.settled(owner=owner)] == [tokens]


BROKEN: dict[str, list[Any]] = {
    "object-error": [{"object": "error", "message": "out of memory"}, chunk(finish="stop")],
    "error-text": [{"error": "out of memory"}, chunk(finish="stop")],
    "event-error": [event({"message": "out of memory"}, name="error"), chunk(finish="stop")],
    "finish-error": [chunk(finish="error")],
    "finish-abort": [chunk(finish="abort")],
    "no-finish": [usage(4)],
    "choice-is-text": [{"choices": ["x"]}, chunk(finish="stop")],
}


@pytest.mark.parametrize("failure", BROKEN)
@pytest.mark.parametrize("tier", ["standard", "answer"])
def test_a_failure_in_the_middle_is_never_an_answer(
    gateway: Running, stranger: Stranger, failure: str, tier: str
) -> None:
    stranger.behaviour = "script"
    stranger.script = b"".join(stream(chunk("6 dogs have "), chunk("24 legs, "), *BROKEN[failure]).parts)
    key = gateway.key(tier, owner := f"broken-{failure}-{tier}")
    answer = gateway.ask(key)
    assert answer.status_code == 502
    assert "answer is" not in answer.text
    streamed = gateway.ask(key, stream=True)
    if tier == "answer":
        assert streamed.status_code == 502
        assert "answer is" not in streamed.text
    else:
        last = json.loads(streamed.text.rstrip().rsplit("data: ", 1)[1])
        assert last["error"]["code"] == "upstream_failed"
        assert "[DONE]" not in streamed.text
        assert '"stop"' not in streamed.text
    rows = gateway.settled(owner=owner)
    assert [row.outcome for row in rows] == ["error", "error"]
    # Two pieces of the stream had left, by the byte; nothing of the others.
    assert [row.tokens for row in rows] == [0, 0 if tier == "answer" else len("6 dogs have 24 legs, ")]


@pytest.mark.parametrize("reason", ["length", "content_filter", "max_tokens", "SAFETY"])
@pytest.mark.parametrize("streams", [False, True])
def test_a_form_releases_nothing_of_a_completion_that_did_not_end(
    gateway: Running, stranger: Stranger, reason: str, streams: bool
) -> None:
    stranger.behaviour = "script"
    finish = "length" if reason in ("length", "max_tokens") else "content_filter"
    for tier, shown in (("answer", False), ("standard", True)):
        stranger.script = b"".join(
            stream(chunk("6 dogs have 24 "), chunk("legs"), chunk(finish=reason), usage(7)).parts
        )
        answer = gateway.ask(gateway.key(tier, owner := f"unended-{reason}-{tier}-{streams}"), stream=streams)
        assert answer.status_code == 200
        assert f'"finish_reason":"{finish}"' in answer.text
        pieces = re.findall(r'"content":"([^"]*)"', answer.text)
        assert "".join(pieces) == ("6 dogs have 24 legs" if shown else "")
        assert [row.tokens for row in gateway.settled(owner=owner)] == [7]
    stranger.script = b"".join(stream(chunk("6 dogs have 24 "), chunk("legs"), chunk(finish="eos_token")).parts)
    assert "answer is 24" in gateway.ask(gateway.key("answer")).text


@pytest.mark.parametrize("told", [-5, 0, 1, 10**30, "x", 0.5])
@pytest.mark.parametrize("streams", [False, True])
def test_the_ledger_does_not_believe_a_usage(gateway: Running, stranger: Stranger, told: Any, streams: bool) -> None:
    stranger.behaviour = "script"
    said = [*map(chunk, WORDS), chunk(finish="stop"), usage(told, told)]
    stranger.script = b"".join(stream(*said).parts)
    for tier in ("standard", "answer"):
        owner = f"liar-{told}-{streams}-{tier}"
        assert gateway.ask(gateway.key(tier, owner), stream=streams).status_code == 200
        assert [row.tokens for row in gateway.settled(owner=owner)] == [len("".join(WORDS))]


@pytest.mark.parametrize("streams", [False, True])
def test_odd_characters_reach_the_client(gateway: Running, stranger: Stranger, streams: bool) -> None:
    stranger.behaviour = "script"
    text = "a\u2028b\u2029c\x85d \N{GRINNING FACE}"
    stranger.script = event(json.dumps(chunk(text, "stop"), ensure_ascii=False))
    stranger.script += event('{"choices": [{"delta": {"content": " \\ud83d"}}]}')
    answer = gateway.ask(gateway.key(), stream=streams)
    assert answer.status_code == 200
    if streams:
        # As clients read that take these characters for ends of lines.
        data = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")]
        said = "".join(one["choices"][0]["delta"].get("content", "") for one in data)
    else:
        said = answer.json()["choices"][0]["message"]["content"]
    assert said == f"{text} \ufffd"


def test_connections_are_kept(gateway: Running, stranger: Stranger) -> None:
    key = gateway.key()
    for _ in range(5):
        gateway.ask(key)
    assert len({headers["x-test-port"] for headers in stranger.headers}) == 1


def test_log_probabilities_of_an_upstream_are_not_released(gateway: Running) -> None:
    assert gateway.ask(gateway.key(), logprobs=True).status_code == 400


def test_an_upstream_that_is_not_there_is_one_line() -> None:
    import asyncio

    for url, said in (("http://127.0.0.1:1/v1", "models cannot be listed"),):
        config = load_serving(overrides={"upstream": {"url": url}, "tiers": {"t": {"policy": "poe"}}})
        assert config.upstream is not None
        with pytest.raises(DistillgameError, match=said):
            asyncio.run(UpstreamBackend(config, config.upstream).start())


def test_a_model_that_is_not_there_and_a_key_that_is_not_set(
    stranger: Stranger, monkeypatch: pytest.MonkeyPatch
) -> None:
    import asyncio

    upstream = {"url": f"http://127.0.0.1:{stranger.port}/v1", "model": "other"}
    config = load_serving(overrides={"upstream": upstream, "tiers": {"t": {"policy": "poe"}}})
    assert config.upstream is not None
    with pytest.raises(DistillgameError, match="serves theirs, not 'other'"):
        asyncio.run(UpstreamBackend(config, config.upstream).start())
    config = load_serving(
        overrides={"upstream": {**upstream, "api_key_env": "NOT_SET"}, "tiers": {"t": {"policy": "poe"}}}
    )
    assert config.upstream is not None
    with pytest.raises(DistillgameError, match="NOT_SET"):
        UpstreamBackend(config, config.upstream)


def test_a_server_of_ours_has_to_be_called_so(running: Running) -> None:
    import asyncio

    url = f"{running.base}/v1"
    overrides = {"upstream": {"url": url, "api_key_env": "K", "model": MODEL}, "tiers": {"t": {"policy": "poe"}}}
    os.environ["K"] = running.key()
    config = load_serving(overrides=overrides)
    assert config.upstream is not None
    with pytest.raises(DistillgameError, match="measured: true"):
        asyncio.run(UpstreamBackend(config, config.upstream).start())


def test_a_server_of_ours_reports_what_it_releases(running: Running, tmp_path: Path) -> None:
    """Two servers in a row: the front one's ledger holds KL and value, measured by the one behind."""
    config = CONFIG | {
        "tiers": {"standard": {"policy": "strong"}, "hard": CONFIG["tiers"]["hard"], "answer": {"policy": "answer"}},
        "upstream": {"url": f"{running.base}/v1", "api_key_env": "THEIR_KEY", "measured": True},
    }
    behind = running.key("front", "gateway")
    with server(tmp_path, config, env={"THEIR_KEY": behind}) as front:
        key = front.key()
        for stream in (False, True):
            assert front.ask(key, seed=3, stream=stream).status_code == 200
        ours, theirs = front.settled(), running.settled(owner="gateway")
        assert [row.policy for row in theirs] == ["strong", "strong"]
        assert [(row.tokens, row.kl, row.value) for row in ours] == [
            pytest.approx((row.tokens, row.kl, row.value)) for row in theirs
        ]
        assert ours[0].value > 0
        spender = front.key("hard", "spender")
        assert {front.ask(spender).status_code for _ in range(40)} == {200, 429}
        assert "distillgame" not in front.ask(key).json()
        # A key of ours that is no gateway's is told nothing, and the front server does not pretend.
        assert front.ask(front.key("answer")).status_code == 200
    with server(tmp_path, config, env={"THEIR_KEY": running.key("standard", "plain")}) as front:
        assert front.ask(front.key()).status_code in (400, 502)
