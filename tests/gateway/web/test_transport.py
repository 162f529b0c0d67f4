"""Clients that leave, bodies that are too large or too slow, queues that are full, servers that stop."""

import contextlib
import json
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest
import uvicorn
import yaml
from sqlalchemy.exc import OperationalError
from starlette.testclient import TestClient

from distillgame.gateway.config import load_serving
from distillgame.gateway.errors import ApiError
from distillgame.gateway.telemetry import Metrics
from distillgame.gateway.web import event_stream, middleware, protocol
from distillgame.gateway.web.app import make_app

from ..servers import CONFIG, MODEL, Running, server

LONG = "9 lion , 9 crab , 9 bee , 9 zebra"


def endless(text: str = LONG) -> dict[str, Any]:
    """A request that samples to its length: many choices, no end."""
    return {"model": MODEL, "messages": [{"role": "user", "content": text}], "n": 8, "stream": True}


WIDE = CONFIG | {
    "teacher": {"source": "init:512x8", "tokenizer": "embedded:teacher"},
    "temperature": 0.02,
    "policies": {"poe": {"release": "standard", "max_tokens": 2000, "choices": 8}},
    "tiers": {"standard": {"policy": "poe"}},
    "engine": {"batch_size": 4, "queue": 4, "threads": 1, "speculative": False},
}
"""A slow server with a short queue: a wide network that never ends by itself."""


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A slow server that has little patience and takes only small bodies."""
    settings = {"request_timeout": 2, "max_body_bytes": 20000, "cors_origins": ["https://app.example"]}
    with server(tmp_path_factory.mktemp("small"), WIDE | {"server": settings}) as found:
        yield found


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A slow server that has all the patience that a slow machine needs."""
    with server(tmp_path_factory.mktemp("patient"), WIDE) as found:
        yield found


def raw(running: Running, data: bytes, seconds: float = 10) -> bytes:
    with socket.create_connection(("127.0.0.1", running.port), timeout=seconds) as connection:
        connection.sendall(data)
        return connection.recv(65536)


def test_a_client_that_leaves_cancels_its_sequences_and_pays_for_what_was_sent(running: Running) -> None:
    key, asked = running.key(owner="leaver"), {**endless(), "seed": 1}
    url = f"{running.base}/v1/chat/completions"
    whole = httpx2.post(url, json={**asked, "stream": False}, headers=auth(key)).json()
    for _ in range(3):
        with httpx2.stream("POST", url, json=asked, headers=auth(key)) as response:
            next(response.iter_lines())
    rows = running.settled(owner="leaver")[1:]
    assert [row.outcome for row in rows] == ["cancelled"] * 3
    assert all(0 < row.tokens < whole["usage"]["completion_tokens"] for row in rows)
    assert running_count(running) == 0


def test_a_client_that_leaves_before_its_answer_pays_nothing(patient: Running) -> None:
    key = patient.key(owner="impatient")
    data = json.dumps({**endless(), "n": 4, "stream": False}).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n"
    with socket.create_connection(("127.0.0.1", patient.port), timeout=60) as connection:
        connection.sendall(
            f"{head}Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data
        )
        wait_until(lambda: bool(patient.rows(owner="impatient")))
    (row,) = patient.settled(owner="impatient")
    assert (row.outcome, row.tokens, row.value) == ("cancelled", 0, 0)
    assert running_count(patient) == 0


def test_a_full_queue_is_503_with_retry_after_and_frees_itself(patient: Running) -> None:
    key = patient.key()
    with ThreadPoolExecutor(2) as pool:
        served = [pool.submit(patient.ask, key, LONG, n=4, max_tokens=150) for _ in range(2)]
        wait_until(lambda: running_count(patient) == 8)
        refused = [patient.ask(key, LONG, n=4, max_tokens=30) for _ in range(4)]
    assert [answer.result().status_code for answer in served] == [200, 200]
    assert [answer.status_code for answer in refused] == [503] * 4
    assert {answer.headers["retry-after"] for answer in refused} == {"1"}
    assert {answer.json()["error"]["code"] for answer in refused} == {"overloaded"}
    assert patient.ask(key, LONG, max_tokens=4).status_code == 200


def test_a_request_that_takes_too_long_is_cut(small: Running) -> None:
    key = small.key(owner="late")
    response = small.ask(key, LONG, n=4)
    assert response.status_code == 504
    assert "2 s" in response.json()["error"]["message"]
    (row,) = small.settled(owner="late")
    assert (row.outcome, row.tokens) == ("timeout", 0)
    streamed = small.ask(key, LONG, n=4, stream=True)
    assert streamed.status_code == 200
    events = [json.loads(line[6:]) for line in streamed.text.splitlines() if line.startswith("data: {")]
    assert events[-1]["error"]["code"] == "timeout"
    assert "[DONE]" not in streamed.text
    assert small.settled(owner="late")[-1].tokens > 0


def test_large_bodies_are_refused_announced_or_not(small: Running) -> None:
    key = small.key()
    assert small.ask(key, "4 dog " * 10000).status_code == 413

    def parts() -> Iterator[bytes]:
        for _ in range(100):
            yield b" " * 1000

    response = httpx2.post(f"{small.base}/v1/completions", content=parts(), headers=auth(key))
    assert response.status_code == 413
    head = f"POST /v1/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n"
    assert b" 413 " in raw(small, f"{head}Content-Length: 99999999999\r\n\r\n".encode())


def test_headers_that_do_not_end_are_refused(small: Running) -> None:
    with socket.create_connection(("127.0.0.1", small.port), timeout=10) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: ")
        answer = b""
        with contextlib.suppress(OSError):
            for _ in range(100):
                connection.sendall(b"a" * 4096)
                time.sleep(0.001)
            answer = connection.recv(100)
        assert answer == b"" or b" 431 " in answer
    # A body of that length is no head.
    assert small.ask(small.key(), "4 dog " * 2500, max_tokens=1).status_code == 400


def test_a_head_that_never_comes_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncio

    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.5)

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def play() -> tuple[bytes, bytes]:
        config = uvicorn.Config(application, http=protocol.PatientProtocol, port=0, log_config=None, lifespan="off")
        server = uvicorn.Server(config)
        serving = asyncio.ensure_future(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n")
        late = await reader.read()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await asyncio.sleep(0.8)
        sound = await reader.read(100)
        writer.close()
        server.should_exit = True
        await serving
        return late, sound

    late, sound = asyncio.run(play())
    assert b" 408 " in late
    assert b" 204 " in sound


def test_a_stranger_is_refused_before_the_body_is_read(small: Running) -> None:
    head = b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"
    assert b" 401 " in raw(small, head)


def test_a_body_that_never_comes_is_408(monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncio

    monkeypatch.setattr(middleware, "BODY_SECONDS", 0.05)
    sent: list[Any] = []

    async def receive() -> Any:
        await asyncio.sleep(10)

    async def send(message: Any) -> None:
        sent.append(message)

    async def never(*_: Any) -> None:
        raise AssertionError("the application was reached")

    scope = {"type": "http", "headers": [], "method": "POST", "path": "/"}

    async def refused(_: Any, error: ApiError) -> Any:
        return middleware.error_response(error)

    asyncio.run(middleware.LimitBody(never, 100, refused)(scope, receive, send))
    assert sent[0]["status"] == 408


def test_browsers_of_other_origins_are_let_in_only_where_the_owner_said(small: Running, running: Running) -> None:
    asked = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}
    allowed = httpx2.options(f"{small.base}/v1/chat/completions", headers=asked)
    assert allowed.headers["access-control-allow-origin"] == "https://app.example"
    other = httpx2.options(f"{small.base}/v1/chat/completions", headers=asked | {"Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in other.headers
    off = httpx2.options(f"{running.base}/v1/chat/completions", headers=asked)
    assert "access-control-allow-origin" not in off.headers


def test_told_to_stop_it_finishes_what_runs(tmp_path: Path) -> None:
    config = WIDE | {"engine": WIDE["engine"] | {"batch_size": 16}, "server": {"shutdown_timeout": 120}}
    with server(tmp_path, config) as running:
        key = running.key(owner="last")
        answers: list[httpx2.Response] = []

        def play() -> None:
            answers.append(running.ask(key, LONG, n=2, stream=True, max_tokens=100))

        threads = [threading.Thread(target=play) for _ in range(8)]
        for thread in threads:
            thread.start()
        wait_until(lambda: len(running.rows(owner="last")) == 8)
        running.process.send_signal(signal.SIGTERM)
        for thread in threads:
            thread.join()
        assert running.process.wait(120) == 0
        assert [answer.status_code for answer in answers] == [200] * 8
        assert all("[DONE]" in answer.text for answer in answers)
        assert {row.outcome for row in running.rows(owner="last")} == {"finished"}


def test_what_does_not_finish_in_time_is_cancelled_and_settled(tmp_path: Path) -> None:
    config = WIDE | {"engine": WIDE["engine"] | {"batch_size": 8}, "server": {"shutdown_timeout": 1}}
    with server(tmp_path, config) as running:
        key = running.key(owner="stuck")
        begun = threading.Event()

        def play() -> None:
            url = f"{running.base}/v1/chat/completions"
            with (
                contextlib.suppress(httpx2.HTTPError),
                httpx2.stream("POST", url, json=endless(), headers=auth(key), timeout=120) as response,
            ):
                for line in response.iter_lines():
                    if line.startswith("data: {"):
                        begun.set()

        thread = threading.Thread(target=play)
        thread.start()
        assert begun.wait(60)
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(60) == 0
        thread.join()
        (row,) = running.rows(owner="stuck")
        assert row.outcome == "cancelled"
        assert row.tokens > 0


def test_told_to_stop_while_it_loads_it_stops(tmp_path: Path) -> None:
    path = tmp_path / "serve.yaml"
    path.write_text(yaml.safe_dump(CONFIG))
    arguments = [sys.executable, "-m", "distillgame", "serve", str(path), "--port", "0"]
    process = subprocess.Popen(arguments, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    threads = Path(f"/proc/{process.pid}/task")
    wait_until(lambda: any(thread.read_text().split() for thread in threads.glob("*/children")), 60)
    time.sleep(0.5)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0


def test_a_client_that_reads_nothing_is_let_go() -> None:
    import asyncio

    closed: list[bool] = []

    async def events() -> AsyncGenerator[bytes, None]:
        try:
            while True:
                yield b"data: x\n\n"
        finally:
            closed.append(True)

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            await asyncio.sleep(60)

    async def receive() -> Any:
        await asyncio.sleep(60)

    stream = event_stream.EventStream(b"data: first\n\n", events(), {}, 0.2)

    async def play() -> None:
        rest = stream._rest
        await anext(rest)
        await asyncio.wait_for(stream({"type": "http"}, receive, send), 5)

    asyncio.run(play())
    assert closed == [True]


@pytest.mark.parametrize("failure", [OperationalError("", {}, Exception("away")), TimeoutError()])
def test_a_server_without_its_ledger_is_not_ready(failure: Exception) -> None:
    async def read(_: Any) -> None:
        raise failure

    services: Any = SimpleNamespace(
        config=load_serving(),
        backend=SimpleNamespace(problem=lambda: None),
        writer=SimpleNamespace(read=read),
        metrics=Metrics(lambda: (0, 0)),
        refusals=SimpleNamespace(note=lambda key, code: None),
    )
    answer = TestClient(make_app(services)).get("/readyz")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "ledger_unreachable")


def test_tls_by_flags(tmp_path: Path) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", str(key), "-out", str(cert),
         "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    with server(tmp_path, CONFIG, None, "--tls-cert", str(cert), "--tls-key", str(key)) as running:
        context = ssl.create_default_context(cafile=str(cert))
        response = httpx2.get(f"{running.base}/v1/models", headers=auth(running.key()), verify=context)
        assert response.status_code == 200
        with pytest.raises(httpx2.HTTPError):
            httpx2.get(f"http://127.0.0.1:{running.port}/healthz")


def auth(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def wait_until(true: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def running_count(running: Running) -> int:
    """Completions that are sampled or wait, once it has come to rest or a moment has passed."""
    admin, count = running.key(None, "boss"), -1
    end = time.monotonic() + 30
    while count != 0 and time.monotonic() < end:
        text = httpx2.get(f"{running.base}/metrics", headers=auth(admin)).text
        count = int(float(next(x for x in text.splitlines() if x.startswith("distillgame_running ")).split()[1]))
        if count >= 8:
            break
        time.sleep(0.01)
    return count
