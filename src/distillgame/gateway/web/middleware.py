"""Middleware: plain methods and paths, authentication before a body is read, limits on bodies."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from distillgame.gateway.errors import ApiError, overloaded
from distillgame.gateway.web.encodings import decoded, too_large

BODY_SECONDS = 30.0
"""Most seconds until a client has sent its request."""


def error_response(error: ApiError) -> Response:
    """Return an error as a response, in ASCII, because its message may quote text that cannot be encoded."""
    return Response(json.dumps(error.body()), error.status, error.headers(), "application/json")


class PlainRequest:
    """Makes HEAD a GET, whose body the server drops, and paths plain: without doubled and trailing slashes.

    A redirect would name the scheme of this server, not that of a proxy that speaks TLS in front of it.

    Args:
        app: The application behind it.
    """

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on the plain request."""
        if scope["type"] == "http":
            path = re.sub("/+", "/", scope["path"]).rstrip("/") or "/"
            method = "GET" if scope["method"] == "HEAD" else scope["method"]
            scope = {**scope, "path": path, "method": method}
        await self.app(scope, receive, send)


class RequireKey:
    """Refuses requests without a valid key, before their body is read.

    Args:
        app: The application behind it.
        identify: Finds the key of a request whose path needs one.
        refused: Turns an error into a response.
    """

    def __init__(
        self,
        app: ASGIApp,
        identify: Callable[[Request], Awaitable[None]],
        refused: Callable[[Request, ApiError], Awaitable[Response]],
    ):
        self.app, self.identify, self.refused = app, identify, refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on a request that has a valid key or needs none."""
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
            # The server stops and has waited long enough. Only responses that have not begun get here.
            await error_response(overloaded("the server is stopping"))(scope, receive, send)


class LimitBody:
    """Reads the body of each request before it is handled, and limits its size and duration.

    Args:
        app: The application behind it.
        most: Largest body, in bytes.
        refused: Turns an error into a response.
    """

    def __init__(self, app: ASGIApp, most: int, refused: Callable[[Request, ApiError], Awaitable[Response]]):
        self.app, self.most, self.refused = app, most, refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on a request whose body is complete, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            headers = dict(scope["headers"])
            async with asyncio.timeout(BODY_SECONDS):
                body = await self._read(headers, receive)
            if body is not None:
                body = decoded(body, headers.get(b"content-encoding", b"").decode("latin-1"), self.most)
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
        """Return the body, or None if the client has left."""
        problem = too_large(self.most)
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
