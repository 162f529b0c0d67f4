"""Streams of server-sent events, and clients that leave."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Mapping
from contextlib import aclosing
from typing import Any, TypeVar

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

T = TypeVar("T")


class ClientGoneError(Exception):
    """The client has closed its connection."""


async def unless_gone(work: Awaitable[T], receive: Receive) -> T:
    """Wait for ``work``, and cancel it if the client leaves.

    Args:
        work: Work that no longer reads the request.
        receive: The connection.

    Raises:
        ClientGoneError: If the client has left.
    """
    working = asyncio.ensure_future(work)
    watching = asyncio.ensure_future(_gone(receive))
    try:
        await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientGoneError
        return working.result()
    finally:
        working.cancel()
        watching.cancel()
        await asyncio.gather(working, watching, return_exceptions=True)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class EventStream(Response):
    """A response of server-sent events that is closed, and so settled, whatever the client does.

    Args:
        first: The first event.
        rest: The others.
        headers: Further headers.
        seconds: Most seconds that it may take: a client that reads slowly holds a sequence and a lease.
    """

    media_type = "text/event-stream"

    def __init__(self, first: bytes, rest: AsyncGenerator[bytes, None], headers: Mapping[str, str], seconds: float):
        super().__init__(headers={**headers, "cache-control": "no-store", "x-accel-buffering": "no"})
        # The length of a stream is unknown.
        self.raw_headers = [pair for pair in self.raw_headers if pair[0] != b"content-length"]
        self._first, self._rest, self._seconds = first, rest, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send everything, or as much as the client stays for."""
        try:
            async with asyncio.timeout(self._seconds):
                await unless_gone(self._send(send), receive)
        except (ClientGoneError, OSError, TimeoutError):
            return
        except asyncio.CancelledError:
            # The server stops and has waited long enough; the exchange is settled.
            return
        finally:
            # Also if nothing of it was ever requested.
            await self._rest.aclose()

    async def _send(self, send: Send) -> None:
        async with aclosing(self._rest) as rest:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            await send(_part(self._first))
            async for event in rest:
                await send(_part(event))
            await send({"type": "http.response.body", "body": b"", "more_body": False})


def _part(body: bytes) -> dict[str, Any]:
    return {"type": "http.response.body", "body": body, "more_body": True}
