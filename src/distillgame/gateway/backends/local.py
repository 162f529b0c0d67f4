"""The backend that samples with the engine, in a process of its own."""

import asyncio
import contextlib
import os
import queue
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator
from itertools import count

from distillgame.errors import DistillgameError
from distillgame.fork_server import ForkedProcess, fork_server, start_worker
from distillgame.gateway.backends import worker
from distillgame.gateway.backends.base import Backend, Job, Piece
from distillgame.gateway.backends.samplers import JobEvent, JobFailure
from distillgame.gateway.config import ServeConfig
from distillgame.gateway.errors import ApiError, overloaded
from distillgame.models import pick_device

GONE = JobFailure("the engine has stopped; the server has to be started again")
"""The failure of all jobs when the worker has died."""

WORKER = "distillgame.gateway.backends.worker"
"""The worker's module."""

PATIENCE_SECONDS = 10
"""How long a worker that was told to end may take."""

fork_server.preload(WORKER)


class LocalBackend(Backend):
    """Sends jobs to the worker process and passes on its events.

    Args:
        config: The owner's configuration.
    """

    def __init__(self, config: ServeConfig):
        self._config = config
        self._most = config.engine.batch_size + config.engine.queue
        self._numbers = count()
        self._jobs: dict[int, asyncio.Queue[Piece | JobFailure]] = {}
        self._outbox: queue.SimpleQueue[tuple[int, Job | None] | None] = queue.SimpleQueue()
        self._process: ForkedProcess | subprocess.Popen[str] | None = None
        self._state: str | None = "the engine is starting"
        self._gone = asyncio.Event()
        self._closing = False

    async def start(self) -> None:
        """Start the process and wait until its models are loaded."""
        loop = asyncio.get_running_loop()
        device = pick_device(self._config.engine.device, "engine.device")
        self._ready: asyncio.Future[None] = loop.create_future()
        # In a thread that nobody waits for, so that a server may be told to stop meanwhile.
        threading.Thread(target=self._start, args=(device, loop), name="engine", daemon=True).start()
        await self._ready

    async def run(self, job: Job) -> AsyncGenerator[Piece, None]:
        """Sample one completion."""
        if self._state is not None:
            raise overloaded(self._state)
        if len(self._jobs) >= self._most:
            raise overloaded("the queue is full")
        number = next(self._numbers)
        pieces = self._jobs[number] = asyncio.Queue()
        self._outbox.put((number, job))
        finished = False
        try:
            while not finished:
                piece = await pieces.get()
                finished = isinstance(piece, JobFailure) or piece.finish is not None
                if isinstance(piece, JobFailure):
                    raise _error_of(piece, job)
                yield piece
        finally:
            self._jobs.pop(number, None)
            if not finished:
                self._outbox.put((number, None))

    def problem(self) -> str | None:
        """Return why nothing can be served."""
        return self._state

    def load(self) -> tuple[int, int]:
        """Return the number of completions that run or wait, and its limit."""
        return len(self._jobs), self._most

    async def failed(self) -> None:
        """Wait until the worker has died without being told to."""
        await self._gone.wait()

    async def close(self) -> None:
        """Close the pipe, which ends the worker."""
        self._state = "the server is stopping"
        self._closing = True
        self._outbox.put(None)
        if self._process is not None:
            ended = asyncio.create_task(asyncio.to_thread(self._process.wait))
            if not (await asyncio.wait({ended}, timeout=PATIENCE_SECONDS))[0]:
                self._process.kill()

    def _start(self, device: str, loop: asyncio.AbstractEventLoop) -> None:
        self._process = process = start_worker(WORKER, os.environ, sys.stderr, device)
        assert process.stdin is not None
        assert process.stdout is not None
        pipes = worker.Pipes(os.dup(process.stdout.fileno()), os.dup(process.stdin.fileno()))
        # Only the pipes may hold those ends, so that closing them ends the worker.
        process.stdin.close()
        process.stdout.close()
        pipes.send(self._config)
        threading.Thread(target=self._write, args=(pipes,), name="engine input", daemon=True).start()
        self._read(pipes, loop)

    def _write(self, pipes: worker.Pipes) -> None:
        # In a thread, because a full pipe must not block the event loop.
        with contextlib.suppress(OSError):
            while (message := self._outbox.get()) is not None:
                pipes.send(message)
            # While the other thread reads, the worker would not notice that its input was closed.
            pipes.send(None)

    def _read(self, pipes: worker.Pipes, loop: asyncio.AbstractEventLoop) -> None:
        try:
            while True:
                loop.call_soon_threadsafe(self._dispatch, pipes.recv())
        except (EOFError, OSError):
            pass
        # The loop may have ended before the process.
        if not loop.is_closed():
            loop.call_soon_threadsafe(self._lost)

    def _dispatch(self, events: list[JobEvent]) -> None:
        for number, event in events:
            if number == worker.READY:
                self._settle_start(event if isinstance(event, JobFailure) else None)
            elif number in self._jobs and event is not None:
                self._jobs[number].put_nowait(event)

    def _settle_start(self, failure: JobFailure | None) -> None:
        if self._ready.done():
            return
        if failure is None:
            self._state = None
            self._ready.set_result(None)
        else:
            self._ready.set_exception(DistillgameError(failure.message))

    def _lost(self) -> None:
        if self._state is None:
            self._state = GONE.message
        self._settle_start(GONE)
        if not self._closing:
            self._gone.set()
        for pieces in self._jobs.values():
            pieces.put_nowait(GONE)


def _error_of(failure: JobFailure, job: Job) -> ApiError:
    if failure is GONE:
        return overloaded(failure.message)
    if failure.is_request:
        message = failure.message.split(": ", 1)[-1] if failure.message.startswith("request '") else failure.message
        message = message.replace("max_new_tokens", "'max_tokens'")
        param = "messages" if job.prompt is None else "prompt"
        code = "context_length_exceeded" if "context" in message else "invalid_prompt"
        return ApiError(400, message, code=code, param=param)
    return ApiError(500, "sampling failed; try again", code="sampling_failed")
