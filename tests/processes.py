"""Commands of ours in processes of their own, forked from one that has imported everything.

A fresh interpreter takes seconds to import PyTorch and transformers, and the tests start dozens. Such a process differs
from a fresh one in what it has imported, nothing else.
"""

import json
import os
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from distillgame.fork_server import fork_server


class Command:
    """A command that runs.

    Args:
        arguments: What follows ``distillgame``.
        log: File for all its output.
        folder: Its working directory.
        environment: Variables beside those of the tests.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        log: Path,
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ):
        self.log = log
        variables = {**os.environ, **(environment or {})}
        with log.open("w") as output:
            process = fork_server.fork("tests.command", variables, output)
        assert process is not None
        process.stdin.write(json.dumps({"arguments": list(arguments), "folder": str(folder or Path.cwd())}) + "\n")
        process.stdin.flush()
        self._process = process
        self.pid = process.pid

    def poll(self) -> int | None:
        """Return the exit status if it has ended, negative for a signal."""
        return self._process.poll()

    def wait(self, seconds: float = 600) -> int:
        """Wait until it has ended, and return its exit status."""
        end = time.monotonic() + seconds
        while (status := self.poll()) is None:
            assert time.monotonic() < end, f"still running: {self.output()}"
            time.sleep(0.01)
        return status

    def send_signal(self, number: int) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """End it by SIGKILL, and wait."""
        self.send_signal(signal.SIGKILL)
        self.wait()

    def output(self) -> str:
        """What it has written."""
        return self.log.read_text()
