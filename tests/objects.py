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


@dataclass(frozen=True)
class Write:
    """A request that changed the store."""

    method: str
    path: str
    body: bytes
    headers: dict[str, str]


@dataclass
class Objects:
    """A running store.

    The server keeps objects in its memory, so what it has acknowledged is kept here, in the order of the answers.

    Attributes:
        log: The file of what the server prints.
        url: Its address.
        requests: Method and path of every request.
        fault: Says what happens to a request.
        port: The server's, behind the proxy.
        writes: The requests that changed it.
        writing: Held while one does, so that their order is that of the server.
    """

    log: Path
    url: str = ""
    requests: list[tuple[str, str]] = field(default_factory=list)
    fault: Callable[[str, str], Fault | None] = lambda method, path: None
    port: int = 0
    writes: list[Write] = field(default_factory=list)
    writing: threading.Lock = field(default_factory=threading.Lock)
    _server: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """Where clients find it, and keys."""
        return {**CREDENTIALS, "AWS_ENDPOINT_URL": self.url}

    def next(self, *faults: Fault) -> list[Fault]:
        """Let the next requests go wrong, and return those that are still to."""
        left = list(faults)
        self.fault = lambda method, path: left.pop(0) if left else None
        return left

    def start(self) -> None:
        """Start a server with all that was written before; it is reached once it has everything."""
        with closing(socket.socket()) as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [str(Path(sys.executable).with_name("moto_server")), "-H", "127.0.0.1", "-p", str(port)]
        with self.log.open("a") as file:
            self._server = subprocess.Popen(command, stdout=file, stderr=file, start_new_session=True)
        deadline = time.monotonic() + 60
        create = Write("PUT", "/games", b"", {"Authorization": "AWS4-HMAC-SHA256 Credential=key/x/us-east-1/s3/"})
        while True:
            assert self._server.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            with suppress(OSError):
                assert ask(port, create)[0] == 200
                break
            time.sleep(0.1)
        for write in self.writes:
            assert ask(port, write)[0] < 300, write
        self.port = port

    def kill(self) -> None:
        """End the server at once; connections that it has are cut, and new ones fail."""
        assert self._server is not None
        os.killpg(self._server.pid, signal.SIGKILL)
        self._server.wait()
        with self.writing:  # Whoever was waiting for its answer has none now.
            pass


@contextmanager
def objects(log: Path) -> Iterator[Objects]:
    """Run a store with an empty bucket ``games``."""
    running = Objects(log)
    running.start()
    try:
        with _proxy(running):
            yield running
    finally:
        running.kill()


def ask(port: int, request: Write) -> tuple[int, list[tuple[str, str]], bytes]:
    """Return the server's status, headers and content."""
    with closing(http.client.HTTPConnection("127.0.0.1", port)) as server:
        server.request(request.method, request.path, request.body or None, request.headers)
        answer = server.getresponse()
        return answer.status, answer.getheaders(), answer.read()


HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "server", "date"}


class _Handler(BaseHTTPRequestHandler):
    """Passes requests on to the server, or lets them go wrong."""

    protocol_version = "HTTP/1.1"
    running: ClassVar[Objects]

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
        try:
            status, answered, content = self._asked(Write(self.command, self.path, body, headers))
        except (OSError, http.client.HTTPException):  # It died, or is not there.
            self._cut()
            return
        kept = {name: value for name, value in answered if name.lower() not in HOP_BY_HOP}
        self._answer(status, kept, content, fault.cut)

    def _asked(self, request: Write) -> tuple[int, list[tuple[str, str]], bytes]:
        if request.method in ("GET", "HEAD"):
            return ask(self.running.port, request)
        with self.running.writing:
            answer = ask(self.running.port, request)
            if answer[0] < 300:
                self.running.writes.append(request)
            return answer

    def _cut(self) -> None:
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    def _answer(self, status: int, headers: dict[str, str], content: bytes, cut: bool = False) -> None:
        if cut and not content:  # There is no middle: what the server did is not answered at all.
            self._cut()
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
            self._cut()

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = handle_any  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def _proxy(running: Objects) -> Iterator[None]:
    handler = type("Handler", (_Handler,), {"running": running})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as proxy:
        running.url = f"http://127.0.0.1:{proxy.server_address[1]}"
        thread = threading.Thread(target=proxy.serve_forever, daemon=True)
        thread.start()
        try:
            yield
        finally:
            proxy.shutdown()
            thread.join()
