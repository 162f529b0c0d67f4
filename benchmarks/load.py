"""A client that costs little: many streams over raw sockets, from one process."""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Received:
    """What a client got for one request.

    Attributes:
        prompt: What it asked.
        seed: With which seed.
        status: The HTTP status; 0 if the connection broke before one came.
        text: The completion, as far as it came.
        tokens: Completion tokens by the server's count; None if the stream ended before.
        ids: Ids of the chunks.
        pieces: Chunks with text.
        lasts: Choices that have ended.
        first: Seconds until the first text.
        seconds: Seconds until the end.
        at: When it ended, in seconds of the monotonic clock.
        finished: Whether all of it came.
    """

    prompt: str
    seed: int = 0
    status: int = 0
    text: str = ""
    tokens: int | None = None
    ids: set[str] = field(default_factory=set)
    pieces: int = 0
    lasts: set[int] = field(default_factory=set)
    first: float | None = None
    seconds: float = 0.0
    at: float = 0.0
    finished: bool = False


class Client:
    """One connection that is kept alive.

    Args:
        port: The server's port on this machine.
        key: An API key.
    """

    def __init__(self, port: int, key: str):
        self.port, self.key = port, key
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def ask(self, prompt: str, *, stream: bool = True, **options: Any) -> Received:
        """Send one chat request and read the answer."""
        received = Received(prompt, options.get("seed", 0))
        body = {"model": "distillgame-embedded", "messages": [{"role": "user", "content": prompt}], "stream": stream}
        body |= {"stream_options": {"include_usage": True}} if stream else {}
        data = json.dumps(body | options).encode()
        started = time.monotonic()
        try:
            if self._writer is None:
                self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self.port, limit=2**20)
            assert self._reader is not None
            self._writer.write(
                f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {self.key}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n".encode()
                + data
            )
            await self._read(self._reader, received, started)
        except (OSError, asyncio.IncompleteReadError):
            await self.close()
        received.at = time.monotonic()
        received.seconds = received.at - started
        return received

    async def close(self) -> None:
        """Close the connection."""
        if self._writer is not None:
            self._writer.close()
            self._reader = self._writer = None

    async def _read(self, reader: asyncio.StreamReader, received: Received, started: float) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        received.status = int(head.split(" ", 2)[1])
        if "transfer-encoding: chunked" not in head:
            length = int(head.split("content-length: ", 1)[1].split("\r\n", 1)[0])
            body = json.loads(await reader.readexactly(length))
            if received.status == 200:
                received.text = body["choices"][0]["message"]["content"]
                received.tokens = body["usage"]["completion_tokens"]
                received.ids.add(body["id"])
                received.first = time.monotonic() - started
                received.finished = True
            return
        rest = b""
        while size := int(await reader.readuntil(b"\r\n"), 16):
            rest += (await reader.readexactly(size + 2))[:-2]
            *events, rest = rest.split(b"\n\n")
            for event in events:
                self._take(event, received, started)
        await reader.readuntil(b"\r\n")

    def _take(self, event: bytes, received: Received, started: float) -> None:
        if event == b"data: [DONE]":
            received.finished = True
            return
        chunk = json.loads(event.removeprefix(b"data: "))
        if "error" in chunk:
            return
        received.ids.add(chunk["id"])
        for choice in chunk["choices"]:
            text = choice["delta"].get("content", "")
            if text and received.first is None:
                received.first = time.monotonic() - started
            received.text += text
            received.pieces += bool(text)
            if choice["finish_reason"]:
                received.lasts.add(choice["index"])
        if chunk.get("usage"):
            received.tokens = chunk["usage"]["completion_tokens"]


async def load(
    port: int,
    keys: list[str],
    clients: int,
    seconds: float,
    prompt: Callable[[int], str],
    options: Callable[[int], dict[str, Any]] = lambda number: {},
    over: Callable[[], bool] = lambda: False,
) -> list[Received]:
    """Let clients ask one request after the other for some time.

    Args:
        port: The server's port.
        keys: API keys, shared out among the clients.
        clients: How many clients.
        seconds: For how long new requests are begun.
        prompt: The prompt of request number i.
        options: Further fields of request number i.
        over: Returns true if no new requests are to be begun, whatever the time.

    Returns:
        What was received, in the order in which it ended.
    """
    results: list[Received] = []
    end = time.monotonic() + seconds

    async def one(number: int) -> None:
        client = Client(port, keys[number % len(keys)])
        while time.monotonic() < end and not over():
            results.append(await client.ask(prompt(number), **options(number)))
            number += clients
            if results[-1].status == 0:
                await asyncio.sleep(0.05)
        await client.close()

    await asyncio.gather(*(one(number) for number in range(clients)))
    return results
