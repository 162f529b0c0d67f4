"""The OpenAPI document holds what the server does, and no body makes it fail."""

import json
import random
import string
from typing import Any

import httpx2
import hypothesis
import pytest
import schemathesis
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from ..servers import MODEL, Running

CHECKS = [
    schemathesis.checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


OPERATIONS = ["POST /v1/chat/completions", "POST /v1/completions", "GET /v1/models", "GET /v1/models/{name}",
              "GET /healthz", "GET /readyz", "GET /metrics", "GET /dashboard"]  # fmt: skip


@pytest.fixture(scope="module")
def document(running: Running) -> Any:
    return schemathesis.openapi.from_url(f"{running.base}/openapi.json")


def test_the_document_names_every_operation(document: Any) -> None:
    assert {operation.ok().label for operation in document.get_all_operations()} == set(OPERATIONS)


@pytest.mark.parametrize(
    ("label", "mode"),
    [*((label, GenerationMode.POSITIVE) for label in OPERATIONS),
     *((label, GenerationMode.NEGATIVE) for label in OPERATIONS[:2])],
)  # fmt: skip
def test_every_operation_does_what_the_document_says(label: str, mode: Any, document: Any, running: Running) -> None:
    method, path = label.split()
    owner = path in ("/metrics", "/dashboard")
    key = running.key(None if owner else "trusted", "schema")
    seen = set()

    @hypothesis.given(case=document[path][method].as_strategy(generation_mode=mode))
    @hypothesis.settings(max_examples=60, deadline=None, derandomize=True, database=None,
                         suppress_health_check=list(hypothesis.HealthCheck))  # fmt: skip
    def check(case: Any) -> None:
        case.headers = {**(case.headers or {}), "Authorization": f"Bearer {key}"}
        if isinstance(case.body, dict) and "model" in case.body:
            # Nearly everything would be 404 otherwise, and what is sampled should not take long.
            case.body |= {"model": MODEL, "max_tokens": 4}
            case.body.pop("max_completion_tokens", None)
        response = case.call(timeout=60)
        seen.add(response.status_code)
        case.validate_response(response, checks=CHECKS)

    check()
    assert seen
    if mode is GenerationMode.POSITIVE:
        assert 200 in seen or label == "GET /v1/models/{name}"


def test_the_document_has_our_errors_and_keys(running: Running) -> None:
    document = httpx2.get(f"{running.base}/openapi.json").json()
    chat = document["paths"]["/v1/chat/completions"]["post"]
    assert {"200", "400", "401", "413", "429", "503"} <= set(chat["responses"])
    assert "422" not in chat["responses"]
    assert chat["security"] == [{"key": []}]


def junk(rng: random.Random, depth: int = 0) -> Any:
    kind = rng.randrange(9 if depth < 4 else 6)
    if kind == 0:
        return rng.choice([None, True, False])
    if kind == 1:
        return rng.choice([0, -1, 2**63, -(2**70), 10**400, 1e308, -0.0])
    if kind in (2, 3):
        return "".join(rng.choices(string.printable + "é\u2028\ud800🦎\x00", k=rng.randrange(40)))
    if kind in (4, 5):
        return rng.choice([MODEL, "user", "4 dog", [], {}, "\x00", "NaN"])
    if kind == 6:
        return [junk(rng, depth + 1) for _ in range(rng.randrange(5))]
    return {rng.choice([*FIELDS, "x"]): junk(rng, depth + 1) for _ in range(rng.randrange(6))}


FIELDS = [
    "model", "messages", "prompt", "role", "content", "temperature", "top_p", "n", "stop", "seed", "stream", "name",
    "max_tokens", "logprobs", "top_logprobs", "stream_options", "logit_bias", "tools", "type", "text", "distillgame",
    "policy",
]  # fmt: skip


def test_malformed_bodies_never_make_it_fail(running: Running) -> None:
    rng = random.Random(0)
    key = running.key("trusted", "fuzz")
    client = httpx2.Client(base_url=running.base, headers={"Authorization": f"Bearer {key}"}, timeout=60)
    seen = set()
    for i in range(600):
        path = rng.choice(["/v1/chat/completions", "/v1/completions"])
        sound = {"model": MODEL, "messages": [{"role": "user", "content": "4 dog"}], "max_tokens": 2}
        if path.endswith("/completions") and "chat" not in path:
            sound = {"model": MODEL, "prompt": "4 dog", "max_tokens": 2}
        body: Any = (
            junk(rng) if i % 3 == 0 else sound | {rng.choice(FIELDS): junk(rng) for _ in range(rng.randrange(1, 3))}
        )
        if isinstance(body, dict) and isinstance(body.get("max_tokens"), int):
            body["max_tokens"] = min(body["max_tokens"], 4)
        data = json.dumps(body).encode("utf-8", "surrogatepass")
        if i % 7 == 0:
            data = data[: rng.randrange(len(data) + 1)] + rng.randbytes(rng.randrange(3))
        response = client.post(
            path, content=data, headers={"Content-Type": rng.choice(["application/json", "text/plain", ""])}
        )
        seen.add(response.status_code)
        assert response.status_code < 500, (data, response.text)
        if response.status_code != 200:
            assert set(response.json()["error"]) == {"message", "type", "param", "code"}
    assert {200, 400} <= seen
    assert running.ask(key).status_code == 200


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
        b"GET /" + b"a" * 70000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /v1/models HTTP/1.1\r\nHost: x\r\nAuthorization: Basic !!!\r\n\r\n",
        b"GET /v1/models HTTP/1.1\r\nHost: x\r\nAuthorization: Basic \xe9\xe9\r\n\r\n",
        b"GET /dashboard HTTP/1.1\r\nHost: x?\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nHost: x/v1/?\r\n\r\n",
        b"GET /v1/models HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \xff\xfe\r\n\r\n",
        b"GET /v1/models/..%2f..%2fetc HTTP/1.1\r\nHost: x\r\n\r\n",
        b"DELETE /v1/models HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01",
    ],
)
def test_malformed_requests_never_make_it_fail(running: Running, data: bytes) -> None:
    import socket

    with socket.create_connection(("127.0.0.1", running.port), timeout=10) as connection:
        connection.sendall(data)
        answer = connection.recv(65536)
    assert answer == b"" or answer.split(b" ")[1][:1] == b"4"
