"""A worker that forks a worker; see ``test_fork_server.py``."""

import os
import sys

from distillgame.fork_server import fork_server


def main() -> None:
    """Let a second worker say hello, and end with a status of its own."""
    assert fork_server._process is None
    worker = fork_server.fork("tests.nested", {**os.environ, "NESTED": "1"}, sys.stderr) if not _nested() else None
    if worker is None:
        print("hello", flush=True)
    else:
        print(worker.stdout.readline(), end="", flush=True)
        worker.stdin.close()
        assert worker.wait() == 3
    sys.stdin.read()
    sys.exit(3)


def _nested() -> bool:
    return "NESTED" in os.environ
