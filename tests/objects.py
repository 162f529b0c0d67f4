"""An object store for tests: an S3-compatible server in a process of its own, behind a proxy that breaks requests."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}


@dataclass
class Fault:
    """A thing that happens to a request instead of its answer.

    Attributes:
        status: The status of a refusal; 0 passes the request on.
        code: The store's name of the refusal.
        cut: Close the connection in the middle of the answer, or before it if it has no body.
        seconds: Wait before anything else.
        drop: A header of the request that the store does not get to see.
    """

    status: int = 0
    code: str = "InternalError"
    cut: bool = False
    seconds: float = 0.0
    drop: str = ""


@dataclass
class Objects:
    """A running store.

    Attributes:
        url: Its address.
        requests: Method and path of every request.
        fault: Says what happens to a request.
    """

    url: str
    requests: list[tuple[str, str]] = field(default_factory=list)
    fault: Callable[[str, str], Fault | None] = lambda method, path: None

    @property
    def environment(self) -> dict[str, str]:
        """Where clients find it, and keys."""
        return {**CREDENTIALS, "AWS_ENDPOINT_URL": self.url}

    def next(self, *faults: Fault) -> list[Fault]:
        """Let the next requests go wrong, and return those that are still to."""
        left = list(faults)
        self.fault = lambda method, path: left.pop(0) if left else None
        return left


@contextmanager
def objects(log: Path) -> Iterator[Objects]:
    """Run a store with an empty bucket ``games``."""
    with log.open("w") as file, closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        command = [str(Path(sys.executable).with_name("moto_server")), "-H", "127.0.0.1", "-p", str(port)]
        server = subprocess.Popen(command, stdout=file, stderr=file, start_new_session=True)
        try:
            _create_bucket(port, server, log)
            with _proxy(port) as running:
                yield running
        finally:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def _create_bucket(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        assert server.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        with suppress(OSError), closing(http.client.HTTPConnection("127.0.0.1", port)) as connection:
            connection.request(
                "PUT", "/games", headers={"Authorization": "AWS4-HMAC-SHA256 Credential=key/x/us-east-1/s3/"}
            )
            assert connection.getresponse().status == 200
            return
        time.sleep(0.1)


HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "server", "date"}


class _Handler(BaseHTTPRequestHandler):
    """Passes requests on to the server, or lets them go wrong."""

    protocol_version = "HTTP/1.1"
    running: ClassVar[Objects]
    port: ClassVar[int]

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.running.requests.append((self.command, self.path))
        fault = self.running.fault(self.command, self.path) or Fault()
        time.sleep(fault.seconds)
        if fault.status:
            text = (
                b""
                if self.command == "HEAD"
                else f"<Error><Code>{fault.code}</Code><Message>as told</Message></Error>".encode()
            )
            self._answer(fault.status, {"Content-Type": "application/xml"}, text)
            return
        headers = {name: value for name, value in self.headers.items() if name.lower() != fault.drop}
        with closing(http.client.HTTPConnection("127.0.0.1", self.port)) as server:
            server.request(self.command, self.path, body or None, headers)
            answer = server.getresponse()
            content = answer.read()
            kept = {name: value for name, value in answer.getheaders() if name.lower() not in HOP_BY_HOP}
            self._answer(answer.status, kept, content, fault.cut)

    def _answer(self, status: int, headers: dict[str, str], content: bytes, cut: bool = False) -> None:
        if cut and not content:  # There is no middle: what the server did is not answered at all.
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        self.send_response_only(status)
        # The answer to HEAD says how long the body would be.
        length = headers.pop("Content-Length", None) if self.command == "HEAD" else None
        for name, value in {**headers, "Content-Length": length or str(len(content))}.items():
            if name.lower() != "content-length" or value == (length or str(len(content))):
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if cut else content)
        if cut:
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = handle_any  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def _proxy(port: int) -> Iterator[Objects]:
    running = Objects("")
    handler = type("Handler", (_Handler,), {"running": running, "port": port})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as proxy:
        running.url = f"http://127.0.0.1:{proxy.server_address[1]}"
        thread = threading.Thread(target=proxy.serve_forever, daemon=True)
        thread.start()
        try:
            yield running
        finally:
            proxy.shutdown()
            thread.join()
