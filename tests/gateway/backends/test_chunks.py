"""Streams of other servers, over sockets: what is read, and what is a failure."""

import gzip
import time
from typing import Any

import pytest

from distillgame.gateway.errors import ApiError

from .raw import DONE, HEAD, Script, ask, ask_all, chunk, event, stream, usage

HALVES = "\N{GRINNING FACE}".encode("utf-16-be", "surrogatepass")
HIGH, LOW = (HALVES[i : i + 2].decode("utf-16-be", "surrogatepass") for i in (0, 2))
END = chunk(finish="stop")
LATE = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "a b"}, "finish_reason": "stop"}]}


def choice(**fields: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "finish_reason": None, **fields}]}


def delta(**fields: Any) -> dict[str, Any]:
    return choice(delta=fields)


FAILURES: dict[str, Any] = {
    "object error": {"object": "error", "message": "out of memory", "code": 500},
    "type error": {"type": "error", "error": {"type": "overloaded_error"}},
    "error text": {"error": "out of memory"},
    "error object": {"error": {"message": "out of memory"}},
    "error true": {"error": True},
    "error list": {"errors": ["out of memory"]},
    "error beside choices": {"choices": [], "error": {"message": "x"}},
    "error code": {"error_code": 336003, "error_msg": "x"},
    "error in a choice": choice(delta={}, error={"code": 502}),
    "error in a delta": delta(error="x"),
    "detail": {"detail": "Internal Server Error"},
    "code and message": {"code": 500, "message": "out of memory"},
    "status": {"choices": [], "status": "failed"},
    "event error": event({"message": "x"}, name="error"),
    "event error with a chunk": event(chunk("c"), name="error"),
    "event error without data": b"event: error\n\n",
    "event server_error": event("oh no", name="server_error"),
    "bare text": "Internal Server Error",
    "half JSON": '{"choices": [{"index": 0, "del',
    "null": "null",
    "array": "[]",
    "array of chunks": [chunk("c")],
    "text": '"c"',
    "number": "5",
    "deep": "[" * 100_000,
    "deep object": '{"choices": [{"delta": {"content": ' + "[" * 5000 + "]" * 5000 + "}}]}",
    "long number": '{"choices": [], "usage": {"completion_tokens": ' + "9" * 5000 + "}}",
    "choices is text": {"choices": "none"},
    "choices is an object": {"choices": {"0": chunk("c")["choices"][0]}},
    "choice is text": {"choices": ["c"]},
    "choice is null": {"choices": [None]},
    "choice is a number": {"choices": [0]},
    "delta is text": choice(delta="c"),
    "delta is a list": choice(delta=["c"]),
    "another choice": {"choices": [{"index": 1, "delta": {"content": "c"}}]},
    "negative choice": {"choices": [{"index": -1, "delta": {"content": "c"}}]},
    "content is a number": chunk(5),
    "content is an image": chunk([{"type": "image_url", "image_url": {"url": "x"}}]),
    "content is an unknown object": chunk({"value": "c"}),
    "content of numbers": chunk([1, 2]),
    "a tool": delta(tool_calls=[{"index": 0}]),
    "too large": chunk("x" * 9_000_000),
    **{f"finish {reason!r}": chunk(finish=reason) for reason in (
        "error", "abort", "aborted", "cancelled", "tool_calls", "function_call", "timeout", "unknown", "ERROR",
        "MALFORMED_FUNCTION_CALL", True, 0.5, ["stop"], {"type": "abort"},
    )},
}  # fmt: skip


@pytest.mark.parametrize("pieces", [0, 1])
def test_a_failure_in_the_middle_is_a_failure(pieces: int) -> None:
    """Also if the server goes on as if nothing had happened."""
    scripts = [stream(chunk("a "), failure, chunk("b"), END, usage(3)) for failure in FAILURES.values()]
    for name, answer in zip(FAILURES, ask_all(scripts, pieces=pieces), strict=True):
        assert isinstance(answer, ApiError), name
        assert answer.status == 502, name


NO_END: dict[str, list[Any]] = {
    "no finish reason": [chunk("a b"), usage(2)],
    "empty finish reason": [chunk("a b", ""), usage(2)],
    "null finish reason": [chunk("a b", "null")],
    "nothing": [],
    "usage alone": [usage(2)],
    "empty choices": [{"choices": []}],
}


@pytest.mark.parametrize("done", [False, True])
def test_a_stream_without_a_finish_reason_is_a_failure(done: bool) -> None:
    for name, data in NO_END.items():
        with pytest.raises(ApiError) as found:
            ask(stream(*data) if done else Script([event(item) for item in data]))
        assert found.value.status == 502, name


def test_a_connection_that_is_cut_is_a_failure() -> None:
    length = HEAD.replace(b"Transfer-Encoding: chunked", b"Content-Length: 900")
    named = HEAD.replace(b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n")
    for parts in ([], [event(chunk("a"))], [event(chunk("a")), event(chunk(" b"))]):
        for head in (HEAD, length, named):
            with pytest.raises(ApiError) as found:
                ask(Script(parts, head, sound=False))
            assert found.value.status == 502


def test_a_completion_that_has_ended_does_not_need_the_rest() -> None:
    whole = [event(chunk("a b")), event(END)]
    assert ask(Script(whole)).text == "a b"
    assert ask(Script([*whole, DONE], sound=False)).text == "a b"
    started = time.monotonic()
    assert ask(Script([*whole, DONE], silent=True)).text == "a b"
    assert time.monotonic() - started < 30
    # What follows the end is no part of it.
    assert ask(Script([*whole, DONE, event(chunk("c"))])).text == "a b"


READ: dict[str, tuple[list[Any], str]] = {
    "text": ([chunk("a b")], "a b"),
    "line separators": ([chunk("a\u2028\u2029\x85\x0b\x0c\x1c b")], "a\u2028\u2029\x85\x0b\x0c\x1c b"),
    "parts": ([chunk([{"type": "text", "text": "a "}, {"type": "text", "text": "b"}])], "a b"),
    "one part": ([chunk({"type": "text", "text": "a b"})], "a b"),
    "parts without a type": ([chunk([{"text": "a "}, "b", None])], "a b"),
    "output text": ([chunk([{"type": "output_text", "text": "a b"}])], "a b"),
    "no parts": ([chunk([]), chunk("a b")], "a b"),
    "role first": ([delta(role="assistant", content=None), chunk("a b")], "a b"),
    "null delta": ([choice(delta=None), chunk("a b")], "a b"),
    "no delta": ([choice(), chunk("a b")], "a b"),
    "null choices": ([{"choices": None}, chunk("a b")], "a b"),
    "filter results first": ([{"choices": [], "prompt_filter_results": []}, chunk("a b")], "a b"),
    "legacy text": ([choice(text="a b")], "a b"),
    "index missing": ([{"choices": [{"delta": {"content": "a b"}}]}], "a b"),
    "index as text": ([{"choices": [{"index": "0", "delta": {"content": "a b"}}]}], "a b"),
    "index twice": ([{"choices": chunk("a ")["choices"] + chunk("b")["choices"]}], "a b"),
    "a refusal": ([delta(content=None, refusal="a b")], "a b"),
    "nulls for errors": ([{**chunk("a b"), "error": None, "errors": []}], "a b"),
    "empty object": (["{}", chunk("a b")], "a b"),
    "ping by name": ([event({"n": 1}, name="ping"), chunk("a b")], "a b"),
    "ping by type": ([{"type": "ping"}, event("", name="keep-alive"), b": comment\n\n", chunk("a b")], "a b"),
    "named events": ([event(chunk("a b"), name="completion.chunk")], "a b"),
    "other fields": ([b"id: 5\nretry: 10\nnonsense\n" + event(chunk("a b"))], "a b"),
    "a summary last": ([chunk("a "), chunk("b"), LATE], "a b"),
    "a message alone": ([LATE], "a b"),
    "halves in one chunk": ([chunk(HIGH + LOW)], "\N{GRINNING FACE}"),
    "halves in two chunks": ([chunk("a" + HIGH), chunk(LOW + "b")], "a\N{GRINNING FACE}b"),
    "lone high half": ([chunk("a" + HIGH + "b")], "a\ufffdb"),
    "lone low half": ([chunk(LOW)], "\ufffd"),
    "high half last": ([chunk("a" + HIGH)], "a\ufffd"),
    "replaced bytes": ([b'data: {"choices": [{"delta": {"content": "a\xff\xc3"}}]}\n\n'], "a\ufffd\ufffd"),
    "beyond ASCII": ([event('{"choices": [{"delta": {"content": "Zwölf 犬 \U0001f600"}}]}')], "Zwölf 犬 \U0001f600"),
    "reasoning apart": ([delta(reasoning_content="c d"), chunk("a b")], "a b"),
    "reasoning in parts": ([chunk([{"type": "thinking", "thinking": [{"type": "text", "text": "c"}]}, "a b"])], "a b"),
}  # fmt: skip


@pytest.mark.parametrize("pieces", [0, 1])
def test_what_servers_write_is_read(pieces: int) -> None:
    answers = ask_all([stream(*data, END) for data, _ in READ.values()], pieces=pieces)
    for (name, (_, text)), answer in zip(READ.items(), answers, strict=True):
        assert not isinstance(answer, BaseException), (name, answer)
        assert (answer.text, answer.finish) == (text, "stop"), name
        answer.text.encode()


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_event_lines_end_as_the_standard_says(end: str) -> None:
    spread = '{"choices":\n[{"index": 0,\n"delta": {"content": "a\u2028b\u2029c\x85d"}}]}'
    body = b"\xef\xbb\xbf" + event(spread, end) + event(END, end) + event("[DONE]", end)
    assert ask(Script([body])).text == "a\u2028b\u2029c\x85d"
    assert ask(Script([body[i : i + 1] for i in range(len(body))])).text == "a\u2028b\u2029c\x85d"


@pytest.mark.parametrize("kind", [b"text/plain", b"text/event-stream; charset=iso-8859-1", b"application/json", b""])
def test_the_body_counts_and_not_its_name(kind: bytes) -> None:
    body = event('{"choices": [{"delta": {"content": "Zwölf"}, "finish_reason": "stop"}]}')
    head = HEAD.replace(b"text/event-stream", kind)
    assert ask(Script([body], head)).text == "Zwölf"
    for other in (b'{"choices": [{"message": {"content": "a"}, "finish_reason": "stop"}]}', b"<html>busy</html>", b""):
        with pytest.raises(ApiError) as found:
            ask(Script([other], head))
        assert found.value.status == 502


def test_compressed_streams_are_read_and_cut_ones_refused() -> None:
    body = gzip.compress(event(chunk("a b")) + event(END) + DONE)
    head = HEAD + b"Content-Encoding: gzip\r\n"
    assert ask(Script([body], head)).text == "a b"
    assert ask(Script([body[i : i + 1] for i in range(len(body))], head)).text == "a b"
    for wrong in (body[: len(body) // 2], b"\0" * 50):
        with pytest.raises(ApiError) as found:
            ask(Script([wrong], head))
        assert found.value.status == 502


FINISHES: dict[str, list[Any]] = {
    "stop": ["stop", "eos_token", "EOS", "STOP", "end_turn", "stop_sequence", "FinishReason.STOP", {"type": "stop"}],
    "length": ["length", "max_tokens", "MAX_TOKENS", "model_length"],
    "content_filter": ["content_filter", "content-filter", "contentFilter", "SAFETY", "FinishReason.SAFETY", "refusal"],
}


def test_finish_reasons_have_openais_names() -> None:
    for name, spellings in FINISHES.items():
        for answer in ask_all([stream(chunk("a", reason)) for reason in spellings]):
            assert not isinstance(answer, BaseException)
            assert answer.finish == name


@pytest.mark.parametrize(("reasons", "finish"), [
    (("stop", "length"), "length"), (("length", "stop"), "length"), (("stop", "stop"), "stop"),
    (("content_filter", "stop"), "content_filter"), (("stop", None), "stop"), (("stop", ""), "stop"),
])  # fmt: skip
def test_a_completion_that_ends_twice_ends_by_the_worse(reasons: tuple[Any, Any], finish: str) -> None:
    assert ask(stream(*(chunk("a", reason) for reason in reasons))).finish == finish


@pytest.mark.parametrize(("wait", "seconds"), [
    (b"7", 7), (b"\xb2", 1), (b"7.5", 1), (b"9" * 5000, 1), (b"Wed, 21 Oct 2026 07:28:00 GMT", 1), (b"-3", 1),
])  # fmt: skip
def test_refusals_say_when_to_try_again(wait: bytes, seconds: int) -> None:
    head = b"HTTP/1.1 429 Busy\r\nTransfer-Encoding: chunked\r\nRetry-After: " + wait + b"\r\n"
    with pytest.raises(ApiError) as found:
        ask(Script([b"{}"], head))
    assert (found.value.status, found.value.retry_after) == (503, seconds)


@pytest.mark.parametrize(("body", "message"), [
    (b'{"error": {"message": "too long"}}', "too long"), (b'{"error": "too long"}', "too long"),
    (b'{"message": "too long"}', "too long"), (b'{"object": "error", "message": "too long"}', "too long"),
    (b'{"detail": "too long"}', "too long"), (b'{"error": {"message": "\\ud83d"}}', "?"),
    (b"null", "the upstream answered 400"), (b"[1]", "the upstream answered 400"), (b"<", "the upstream answered 400"),
    (b"[" * 100_000, "the upstream answered 400"), (b'{"error": {"message": 5}}', "the upstream answered 400"),
])  # fmt: skip
def test_refusals_of_the_request_reach_the_client(body: bytes, message: str) -> None:
    with pytest.raises(ApiError) as found:
        ask(Script([body], HEAD.replace(b"200 OK", b"400 No")))
    assert (found.value.status, found.value.message) == (400, message)


@pytest.mark.parametrize("status", [b"204 N", b"301 M", b"401 N", b"404 N", b"500 N", b"504 N"])
def test_other_answers_are_failures(status: bytes) -> None:
    with pytest.raises(ApiError) as found:
        ask(Script([] if status[0] == 204 else [event(chunk("a", "stop"))], HEAD.replace(b"200 OK", status)))
    assert found.value.status == 502
