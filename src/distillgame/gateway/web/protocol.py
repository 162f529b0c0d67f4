"""Uvicorn's HTTP/1.1, with limits for clients that never finish their headers."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

LONGEST_HEAD = 32_768
"""Most bytes of the request line and the headers."""

HEAD_SECONDS = 20.0
"""Most seconds until a client has sent them."""

TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class PatientProtocol(HttpToolsProtocol):
    """Closes connections whose headers are too long or too slow; uvicorn itself would keep them forever."""

    _head = 0
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Start to wait for a request."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._have_head()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse the data, and limit its size until the headers are complete."""
        self._head += len(data)
        super().data_received(data)
        if self._timer is not None and self._head > LONGEST_HEAD:
            self._refuse(TOO_LARGE)

    def on_message_begin(self) -> None:
        """Start to wait for the headers of a request."""
        if self._timer is None:
            self._await_head()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Stop waiting: bodies have limits of their own."""
        self._have_head()
        super().on_headers_complete()

    def _await_head(self) -> None:
        self._head = 0
        self._timer = self.loop.call_later(HEAD_SECONDS, self._refuse, TOO_SLOW)

    def _have_head(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _refuse(self, answer: bytes) -> None:
        self._have_head()
        if not self.transport.is_closing():
            self.transport.write(answer)
            self.transport.close()
