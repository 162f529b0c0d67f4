"""Calls with a time limit, in worker processes that can be killed.

Computer algebra on a model's output can take forever, fill the memory or overflow the stack, and a thread cannot be
stopped. Such calls therefore run in persistent workers (:mod:`distillgame.tasks.sandbox.worker`), one call at a time
each, as many as there are processors. This works from every thread, and in scripts without a ``__main__`` guard.
"""

import atexit
import json
import os
import subprocess
import sys
import threading
import time
from typing import Any, NamedTuple

from distillgame.errors import DistillgameError

WORKER = "distillgame.tasks.sandbox.worker"
"""The module that a worker process runs."""

STARTUP_LIMIT = 120.0
"""Seconds that a worker may take to start and to import the function it will call."""


class OverLimitError(Exception):
    """The call ran past its time limit or its memory, or crashed its worker."""


class CallFailedError(Exception):
    """The called function raised an exception."""


class Reply(NamedTuple):
    """A call's return value, and the seconds that the call took in the worker."""

    value: Any
    seconds: float


class _UnstartedError(Exception):
    """A worker ended before it was ready for the call."""


class _Worker:
    def __init__(self) -> None:
        # -P: the current folder must not shadow the standard library in a worker.
        path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", WORKER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # Without a fixed hash seed some generated problems differ from run to run.
            env={**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1"},
        )

    def call(self, function: str, arguments: tuple[Any, ...], limit: float) -> Reply:
        request = json.dumps({"function": function, "arguments": arguments, "limit": limit})
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(request.encode() + b"\n")
            self.process.stdin.flush()
        except OSError as error:
            raise _UnstartedError from error
        ready = self._answer(STARTUP_LIMIT)
        if ready is None:
            raise _UnstartedError
        if "error" in ready:
            raise DistillgameError(f"the grading worker cannot import what it needs: {ready['error']}")
        begin = time.monotonic()
        answer = self._answer(limit)
        if answer is None:
            raise OverLimitError
        if "raised" in answer:
            raise CallFailedError(answer["raised"])
        return Reply(answer["value"], time.monotonic() - begin)

    def _answer(self, limit: float) -> dict[str, Any] | None:
        """Read one line; ``None`` if the worker died or had to be killed."""
        assert self.process.stdout is not None
        timer = threading.Timer(limit, self.process.kill)
        timer.daemon = True
        timer.start()
        try:
            line = self.process.stdout.readline()
        finally:
            timer.cancel()
        return json.loads(line) if line.endswith(b"\n") else None

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                try:
                    pipe.close()
                except OSError:
                    continue


class Sandbox:
    """A pool of workers.

    Args:
        size: The largest number of workers; further callers wait.
    """

    def __init__(self, size: int):
        self._size = size
        self.forget()

    def forget(self) -> None:
        """Forget all workers without ending them: in a forked child they still belong to the parent."""
        self._free = threading.BoundedSemaphore(self._size)
        self._lock = threading.Lock()
        self._idle: list[_Worker] = []
        self._all: set[_Worker] = set()

    def call(self, function: str, *arguments: object, limit: float) -> Reply:
        """Call a function in a worker.

        Args:
            function: The function as ``"package.module:name"``; the worker imports it.
            arguments: Its arguments; like its result, anything that JSON can carry.
            limit: Seconds that the call may take, not counting the start of a worker and the import of the module.

        Returns:
            The function's return value, and the seconds it took.

        Raises:
            OverLimitError: If the call took too long or too much memory; its worker was replaced.
            CallFailedError: If the function raised.
            DistillgameError: If no worker can be started.
        """
        with self._free:
            for _ in range(3):
                worker = self._take()
                try:
                    reply = worker.call(function, arguments, limit)
                except _UnstartedError:
                    self._discard(worker)
                except (CallFailedError, DistillgameError):
                    self._put_back(worker)
                    raise
                except BaseException:
                    self._discard(worker)
                    raise
                else:
                    self._put_back(worker)
                    return reply
        raise DistillgameError(
            "the grading worker ends as soon as it starts: run python -m distillgame.tasks.sandbox.worker"
        )

    def close(self) -> None:
        """End all workers."""
        with self._lock:
            workers, self._all, self._idle = list(self._all), set(), []
        for worker in workers:
            worker.close()

    def _take(self) -> _Worker:
        with self._lock:
            if self._idle:
                return self._idle.pop()
            worker = _Worker()
            self._all.add(worker)
            return worker

    def _put_back(self, worker: _Worker) -> None:
        with self._lock:
            self._idle.append(worker)

    def _discard(self, worker: _Worker) -> None:
        with self._lock:
            self._all.discard(worker)
        worker.close()


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


sandbox = Sandbox(_processors())
"""The workers of this process, at most one per processor that it may use."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=sandbox.forget)
atexit.register(sandbox.close)
