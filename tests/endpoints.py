"""An OpenAI-compatible endpoint on a real socket that answers as a test says."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Reply:
    """One response.

    Attributes:
        body: Its body: text as it is, anything else as JSON.
        status: Its status.
        headers: Further headers.
    """

    body: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


Script = Callable[[dict[str, Any], int], Reply]
"""Makes the response to a request, given its body and how many came before it."""


@dataclass
class Listening:
    """An endpoint that listens.

    Attributes:
        url: Its base URL.
        asked: The bodies of all requests so far.
        keys: Their ``Authorization`` headers.
        most: Most requests that were open at once.
    """

    url: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    most: int = 0


def completion(text: str | None, finish: str = "stop", **usage: int) -> Reply:
    """Return a chat completion."""
    usage = usage or {"prompt_tokens": 7, "completion_tokens": 3}
    message = {"role": "assistant", "content": text}
    return Reply({"choices": [{"index": 0, "message": message, "finish_reason": finish}], "usage": usage})


@contextmanager
def endpoint(script: Script) -> Iterator[Listening]:
    """Listen until the block ends."""
    found, lock, running = Listening(), threading.Lock(), [0]

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                before = len(found.asked)
                found.asked.append(body)
                found.keys.append(self.headers["Authorization"])
                running[0] += 1
                found.most = max(found.most, running[0])
            try:
                reply = script(body, before)
            finally:
                with lock:
                    running[0] -= 1
            sent = reply.body if isinstance(reply.body, str) else json.dumps(reply.body)
            self.send_response(reply.status)
            self.send_header("Content-Type", "application/json")
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(sent.encode())))
            self.end_headers()
            with suppress(ConnectionError):  # Clients that are tired of waiting are gone.
                self.wfile.write(sent.encode())

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    found.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
