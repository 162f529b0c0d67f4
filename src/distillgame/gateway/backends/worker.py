"""The process that samples, apart from the one that serves HTTP: in one, both would compete for Python's lock.

It receives pickled messages on its standard input and sends them on its standard output: first the owner's
configuration, then ``(number, job)``, ``(number, None)`` to cancel a job, or None to end; what it sends are lists of
events. Anything that libraries print goes to standard error instead. It ends when its input ends, so none outlives its
server.
"""

import atexit
import contextlib
import gc
import os
import queue
import signal
import threading
from multiprocessing.connection import Connection
from typing import Any

from distillgame.decoding import Sequence
from distillgame.errors import DistillgameError
from distillgame.gateway.backends.base import Job
from distillgame.gateway.backends.samplers import JobEvent, JobFailure, Samplers
from distillgame.gateway.config import ServeConfig
from distillgame.gateway.telemetry import set_up_logs
from distillgame.models import quiet
from distillgame.process import multiply_exactly

READY = -1
"""Number of the event that says that the process is ready, or why it cannot start."""

Received = tuple[int, Job | None, Sequence | JobFailure | None] | None
"""A job's number with the job and its sequence, its failure, or nothing, which cancels it; None at the end."""


class Pipes:
    """Standard input and output of a worker, or a worker's seen from its parent.

    Args:
        incoming: Descriptor to receive from.
        outgoing: Descriptor to send to.
    """

    def __init__(self, incoming: int, outgoing: int):
        self._incoming = Connection(incoming, writable=False)
        self._outgoing = Connection(outgoing, readable=False)

    def recv(self) -> Any:
        """Return the next message.

        Raises:
            EOFError: If the other end was closed.
        """
        return self._incoming.recv()

    def send(self, message: Any) -> None:
        """Send a message.

        Raises:
            OSError: If the other end was closed.
        """
        self._outgoing.send(message)


def main() -> None:
    """Serve jobs until the input ends or None was received."""
    # The parent decides when to stop, also if a terminal sends its signals to both.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    # Nothing has to be collected of a process that ends.
    atexit.register(gc.freeze)
    pipes = Pipes(os.dup(0), os.dup(1))
    os.dup2(2, 1)
    quiet()
    multiply_exactly()
    set_up_logs()
    with contextlib.suppress(EOFError, OSError):
        _serve(pipes, pipes.recv())


def _serve(pipes: Pipes, config: ServeConfig) -> None:
    try:
        samplers = Samplers(config)
    except Exception as error:
        message = str(error) if isinstance(error, DistillgameError) else f"{type(error).__name__}: {error}"
        pipes.send([(READY, JobFailure(message, isinstance(error, DistillgameError)))])
        return
    pipes.send([(READY, None)])
    inbox: queue.SimpleQueue[Received] = queue.SimpleQueue()
    threading.Thread(target=_prepare, args=(pipes, samplers, inbox), name="prompts", daemon=True).start()
    while True:
        events = _receive(inbox, samplers)
        events += samplers.step()
        if events:
            pipes.send(events)


def _prepare(pipes: Pipes, samplers: Samplers, inbox: "queue.SimpleQueue[Received]") -> None:
    """Receive jobs and tokenize their prompts in a thread: a long prompt must not delay what is being sampled."""
    try:
        while (message := pipes.recv()) is not None:
            number, job = message
            if job is None:
                inbox.put((number, None, None))
                continue
            try:
                inbox.put((number, job, samplers.prepare(job)))
            except Exception as error:  # Tokenizers raise any error, and clients send any text.
                known = isinstance(error, DistillgameError)
                inbox.put((number, None, JobFailure(str(error) if known else "the prompt cannot be read", True)))
    except (EOFError, OSError):
        pass
    inbox.put(None)


def _added(samplers: Samplers, number: int, job: Job, sequence: Sequence) -> list[JobEvent]:
    """Start a job; one that the sampler refuses fails alone."""
    try:
        samplers.add(number, job, sequence)
    except Exception as error:
        return [(number, JobFailure(f"{type(error).__name__}: {error}"))]
    return []


def _receive(inbox: "queue.SimpleQueue[Received]", samplers: Samplers) -> list[JobEvent]:
    """Start and cancel the jobs that have arrived; wait for one if there is no other work."""
    events: list[JobEvent] = []
    cancelled: set[int] = set()
    while not inbox.empty() or not (samplers.busy or events or cancelled):
        taken = inbox.get()
        if taken is None:
            raise EOFError
        number, job, prepared = taken
        if isinstance(prepared, JobFailure):
            events.append((number, prepared))
        elif job is None or prepared is None:
            cancelled.add(number)
        else:
            events += _added(samplers, number, job, prepared)
    if cancelled:
        samplers.cancel(cancelled)
    return events
