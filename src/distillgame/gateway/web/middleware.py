"""Between ASGI and us: clients that leave, bodies that are too large, streams of events."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from distillgame.gateway.errors import ApiError, overloaded

T = TypeVar("T")

BODY_SECONDS = 30.0
"""How long a client may take to send a request."""


class GoneError(Exception):
    """The client has closed its connection."""


async def unless_gone(work: Awaitable[T], receive: Receive) -> T:
    """Wait for ``work``, and cancel it if the client leaves.

    Args:
        work: Something that needs the whole of the request no more.
        receive: The connection.

    Raises:
        GoneError: If the client has left.
    """
    working = asyncio.ensure_future(work)
    watching = asyncio.ensure_future(_gone(receive))
    try:
        await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise GoneError
        return working.result()
    finally:
        working.cancel()
        watching.cancel()
        await asyncio.gather(working, watching, return_exceptions=True)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class EventStream(Response):
    """A stream of server-sent events that is closed, and so settled, whatever becomes of the client.

    Args:
        first: The first event.
        rest: The others.
        headers: Further headers.
        seconds: How long it may take: a client that reads slowly holds a sequence and a lease.
    """

    media_type = "text/event-stream"

    def __init__(self, first: bytes, rest: AsyncGenerator[bytes, None], headers: Mapping[str, str], seconds: float):
        super().__init__(headers={**headers, "cache-control": "no-store", "x-accel-buffering": "no"})
        # The length of a stream is not known.
        self.raw_headers = [pair for pair in self.raw_headers if pair[0] != b"content-length"]
        self._first, self._rest, self._seconds = first, rest, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send everything, or as much as the client stays for."""
        try:
            async with asyncio.timeout(self._seconds):
                await unless_gone(self._send(send), receive)
        except (GoneError, OSError, TimeoutError):
            return
        except asyncio.CancelledError:
            # The server stops and has waited long enough; what was sent is settled.
            return
        finally:
            # Also where nothing of it was ever asked for.
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


def error_response(error: ApiError) -> Response:
    """An error as a response, in ASCII: a message may quote what no encoding knows."""
    return Response(json.dumps(error.body()), error.status, error.headers(), "application/json")


class Doors:
    """Lets nobody in without a key: bodies of strangers are not even read.

    Args:
        app: What comes behind.
        identify: Finds who sends a request to a path that needs a key.
        refused: Makes a response of an error.
    """

    def __init__(
        self,
        app: ASGIApp,
        identify: Callable[[Request], Awaitable[None]],
        refused: Callable[[Request, ApiError], Awaitable[Response]],
    ):
        self.app, self.identify, self.refused = app, identify, refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on a request whose sender is known, or that needs no key."""
        if scope["type"] == "http":
            request = Request(scope)
            try:
                await self.identify(request)
            except ApiError as error:
                await (await self.refused(request, error))(scope, receive, send)
                return
        try:
            await self.app(scope, receive, send)
        except asyncio.CancelledError:
            # The server stops and has waited long enough. Only answers that have not begun come here.
            await error_response(overloaded("the server is stopping"))(scope, receive, send)


class LimitBody:
    """Reads each request whole before anything else is done, within a size and a time.

    Args:
        app: What comes behind.
        most: Largest body, in bytes.
        refused: Makes a response of an error.
    """

    def __init__(self, app: ASGIApp, most: int, refused: Callable[[Request, ApiError], Awaitable[Response]]):
        self.app, self.most, self.refused = app, most, refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on a request that is complete, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await self._read(dict(scope["headers"]), receive)
        except (ApiError, TimeoutError) as error:
            late = ApiError(408, f"the request was not complete after {BODY_SECONDS:g} s", code="request_timeout")
            response = await self.refused(Request(scope), error if isinstance(error, ApiError) else late)
            await response(scope, receive, send)
            return
        if body is None:
            return
        pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def again() -> Message:
            return pending.pop() if pending else await receive()

        await self.app(scope, again, send)

    async def _read(self, headers: Mapping[bytes, bytes], receive: Receive) -> bytes | None:
        """The body; None if the client has left."""
        problem = ApiError(413, f"the request is larger than {self.most} bytes", code="request_too_large")
        announced = headers.get(b"content-length", b"0")
        if announced.isdigit() and int(announced) > self.most:
            raise problem
        parts: list[bytes] = []
        size, more = 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > self.most:
                raise problem
            more = message.get("more_body", False)
        return b"".join(parts)
