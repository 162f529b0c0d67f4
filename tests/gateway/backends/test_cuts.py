"""Generated streams of other servers, over sockets: split at every byte, and cut at every byte."""

import json
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from distillgame.gateway.errors import ApiError

from .raw import HEAD, Answer, Script, ask_all, chunk, usage

TEXTS = st.text(st.sampled_from('ab4 \n\r\u2028\u2029\x85\x0b\x1c\t"\\{é犬\U0001f600\ufeff'), max_size=6)
ENDS = st.sampled_from(["\n", "\r\n", "\r"])


@dataclass(frozen=True)
class Stream:
    """A stream with what it says.

    Attributes:
        body: Its bytes.
        text: The completion.
        finish: Its finish reason.
        ended: Number of bytes up to the event that ends the completion.
    """

    body: bytes
    text: str
    finish: str
    ended: int


@st.composite
def streams(draw: st.DrawFn) -> Stream:
    """A sound stream, written as servers may write it."""
    texts = draw(st.lists(TEXTS, max_size=2))
    finish = draw(st.sampled_from(["stop", "length", "content_filter"]))
    body = draw(st.sampled_from([b"", b"\xef\xbb\xbf"]))
    for text in texts:
        body += draw(noise()) + draw(events(chunk(draw(contents(text)))))
    body += draw(events(chunk(finish=finish)))
    ended = len(body)
    if draw(st.booleans()):
        body += draw(noise()) + draw(events(usage(draw(st.sampled_from([-5, 0, 3, 10**30, 0.5, "x", None])))))
    return Stream(
        body + draw(st.sampled_from([b"", b"data: [DONE]\n\n", b"data:[DONE]\r\r"])), "".join(texts), finish, ended
    )


@st.composite
def events(draw: st.DrawFn, data: Any) -> bytes:
    """An event, in one line or several, in ASCII or not."""
    end, space = draw(ENDS), draw(st.sampled_from(["", " "]))
    text = json.dumps(data, ensure_ascii=draw(st.booleans()), indent=draw(st.sampled_from([None, 1])))
    return ("".join(f"data:{space}{line}{end}" for line in text.split("\n")) + end).encode()


@st.composite
def contents(draw: st.DrawFn, text: str) -> Any:
    """A content, as a text or in parts."""
    where = draw(st.integers(0, len(text)))
    parts = [{"type": "text", "text": text[:where]}, {"type": "text", "text": text[where:]}]
    return draw(st.sampled_from([text, parts]))


def noise() -> st.SearchStrategy[bytes]:
    """Bytes that say nothing."""
    return st.sampled_from(
        [b"", b": working\n\n", b"\n\n", b"event: ping\ndata: {}\r\n\r\n", b"id: 7\nretry: 5\n\n", b"data\n\n"]
    )


def told(answer: Answer | BaseException) -> tuple[str, str | None, int]:
    """What a client is told, and what it is charged."""
    assert not isinstance(answer, BaseException), answer
    return answer.text, answer.finish, answer.charge.tokens


FEW = settings(
    max_examples=5,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    # Each example is hundreds of requests; to make it smaller takes minutes.
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)


@FEW
@given(streams(), st.sampled_from([0, 1]))
def test_a_stream_reads_the_same_wherever_it_is_split(stream: Stream, pieces: int) -> None:
    body = stream.body
    splits = [[body], [body[i : i + 1] for i in range(len(body))], *([body[:i], body[i:]] for i in range(1, len(body)))]
    answers = [told(answer) for answer in ask_all([Script(parts) for parts in splits], pieces=pieces)]
    assert answers[0][:2] == (stream.text, stream.finish)
    assert answers[0][2] >= len(stream.text.split())
    assert set(answers) == {answers[0]}


@FEW
@given(streams(), st.sampled_from([0, 1]), st.booleans())
def test_a_stream_that_is_cut_is_whole_or_a_failure(stream: Stream, pieces: int, sound: bool) -> None:
    """Wherever the cut is, and whether or not the connection ends properly."""
    bodies = [stream.body[:cut] for cut in range(len(stream.body) + 1)]
    scripts = [Script([body] if body else [], HEAD, sound) for body in bodies]
    for body, answer in zip(bodies, ask_all(scripts, pieces=pieces), strict=True):
        if isinstance(answer, BaseException):
            assert isinstance(answer, ApiError)
            assert answer.status == 502
            # httpx2 takes the end of a stream after a CR for an empty line, and so part of an event for all of it.
            assert not sound or len(body) < stream.ended or body.endswith(b"\r")
        else:
            # "\r\n" ends a line after "\r" already.
            assert len(body) >= stream.ended - 1
            assert (answer.text, answer.finish) == (stream.text, stream.finish)
            assert answer.charge.tokens >= len(stream.text.split())


@FEW
@given(streams(), st.data())
def test_bytes_that_are_changed_are_no_unforeseen_error(stream: Stream, data: st.DataObject) -> None:
    scripts = []
    for _ in range(50):
        where = data.draw(st.integers(0, len(stream.body) - 1))
        with_others = data.draw(st.binary(max_size=3))
        scripts.append(Script([stream.body[:where] + with_others + stream.body[where + 1 :]]))
    for answer in ask_all(scripts):
        if isinstance(answer, BaseException):
            assert isinstance(answer, ApiError), answer
            assert answer.status == 502
        else:
            assert answer.finish in ("stop", "length", "content_filter")
            answer.text.encode()
            assert answer.charge.tokens >= len(answer.text.split())
