"""A server on a real socket that answers with the very bytes that a test gives it."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from distillgame.decoding import SamplingParams
from distillgame.gateway.backends import Job, Piece, UpstreamBackend
from distillgame.gateway.config import load_serving
from distillgame.gateway.ledger import NOTHING, Charge

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"


@dataclass(frozen=True)
class Script:
    """An answer.

    Attributes:
        parts: Its body, part by part; each is a chunk of HTTP.
        head: Status and headers.
        sound: Whether the body has its proper end; otherwise the connection is cut.
        silent: Whether the connection stays open without a word after the last part.
    """

    parts: Sequence[bytes]
    head: bytes = HEAD
    sound: bool = True
    silent: bool = False


@dataclass
class Answer:
    """A completion as the backend passes it on.

    Attributes:
        pieces: All pieces.
    """

    pieces: list[Piece] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The text."""
        return "".join(piece.text for piece in self.pieces)

    @property
    def charge(self) -> Charge:
        """The cost of all pieces."""
        return sum((piece.charge for piece in self.pieces), start=NOTHING)

    @property
    def finish(self) -> str | None:
        """The finish reason."""
        return self.pieces[-1].finish


def ask_all(
    scripts: Sequence[Script], length: int = 64, pieces: int = 1, **upstream: Any
) -> list[Answer | BaseException]:
    """Let the backend read every script, at once, over sockets; failures are returned."""
    return asyncio.run(_ask_all(scripts, length, pieces, upstream))


def ask(script: Script, length: int = 64, pieces: int = 1, **upstream: Any) -> Answer:
    """Let the backend read a script.

    Raises:
        ApiError: If it fails.
    """
    (answer,) = ask_all([script], length, pieces, **upstream)
    if isinstance(answer, BaseException):
        raise answer
    return answer


async def _ask_all(
    scripts: Sequence[Script], length: int, pieces: int, upstream: dict[str, Any]
) -> list[Answer | BaseException]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await _play(scripts, reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    config = load_serving(
        overrides={
            "upstream": {"url": f"http://127.0.0.1:{port}/v1", "model": "theirs", **upstream},
            "tiers": {"t": {"policy": "poe"}},
            "engine": {"queue": len(scripts)},
        }
    )
    assert config.upstream is not None
    backend = UpstreamBackend(config, config.upstream)
    limit = asyncio.Semaphore(20)

    async def one(index: int) -> Answer:
        message = {"role": "user", "content": str(index)}
        job = Job("poe", "0" * 64, SamplingParams(max_new_tokens=length), (message,), pieces=pieces)
        async with limit:
            return Answer([piece async for piece in backend.run(job)])

    try:
        return list(await asyncio.gather(*map(one, range(len(scripts))), return_exceptions=True))
    finally:
        await backend.close()
        server.close()


async def _play(scripts: Sequence[Script], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    size = next(int(line.split(":")[1]) for line in head.splitlines() if line.startswith("content-length"))
    body = json.loads(await reader.readexactly(size))
    script = scripts[int(body["messages"][0]["content"])]
    writer.write(script.head + b"\r\n")
    chunked = b"chunked" in script.head
    for part in script.parts:
        writer.write(b"%x\r\n%b\r\n" % (len(part), part) if chunked else part)
        await writer.drain()
    if script.silent:
        await asyncio.sleep(60)
    if chunked and script.sound:
        writer.write(b"0\r\n\r\n")
        await writer.drain()
    else:
        writer.close()
        raise ConnectionError


def event(data: Any, end: str = "\n", name: str | None = None) -> bytes:
    """A server-sent event; ``data`` is JSON, or a text as it is."""
    lines = (data if isinstance(data, str) else json.dumps(data)).split("\n")
    named = [f"event: {name}"] if name else []
    return "".join(line + end for line in [*named, *(f"data: {line}" for line in lines), ""]).encode()


def chunk(content: Any = None, finish: Any = None, **fields: Any) -> dict[str, Any]:
    """A chunk with one choice."""
    delta = {} if content is None else {"content": content}
    return {
        "object": "chat.completion.chunk",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        **fields,
    }


def usage(tokens: Any, prompt: Any = 11) -> dict[str, Any]:
    """A chunk that holds nothing but the usage."""
    return {"choices": [], "usage": {"prompt_tokens": prompt, "completion_tokens": tokens}}


DONE = event("[DONE]")


def stream(*data: Any) -> Script:
    """A sound stream of events, each data or bytes, that says it is done."""
    return Script([item if isinstance(item, bytes) else event(item) for item in (*data, DONE)])
