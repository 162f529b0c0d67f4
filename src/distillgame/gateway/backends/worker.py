"""The process that samples, apart from the one that serves HTTP: both would compete for Python's lock."""

import queue
import signal
import threading
from multiprocessing.connection import Connection

from distillgame.decoding import Sequence
from distillgame.errors import DistillgameError
from distillgame.gateway.backends.base import Job
from distillgame.gateway.backends.samplers import Event, Failure, Samplers
from distillgame.gateway.config.serve import ServeConfig
from distillgame.models import quiet

READY = -1
"""In place of a job's number: the process is ready, or says why it never will be."""


Taken = tuple[int, Job | None, Sequence | Failure | None] | None
"""A job's number with the job and its sequence, with its failure, or with nothing to cancel it; None at the end."""


def main(connection: Connection, config: ServeConfig) -> None:
    """Serve jobs from a pipe until it is told to end or the other end is gone.

    Args:
        connection: Brings ``(number, job)``, ``(number, None)`` to cancel, or None to end; takes lists of events.
        config: The owner's configuration.
    """
    # The parent decides when to stop, also where a terminal sends its signals to both.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    quiet()
    try:
        samplers = Samplers(config)
    except Exception as error:
        message = str(error) if isinstance(error, DistillgameError) else f"{type(error).__name__}: {error}"
        connection.send([(READY, Failure(message, isinstance(error, DistillgameError)))])
        return
    connection.send([(READY, None)])
    inbox: queue.SimpleQueue[Taken] = queue.SimpleQueue()
    threading.Thread(target=_take, args=(connection, samplers, inbox), name="prompts", daemon=True).start()
    try:
        while True:
            events = _receive(inbox, samplers)
            events += samplers.step()
            if events:
                connection.send(events)
    except (EOFError, OSError):
        return


def _take(connection: Connection, samplers: Samplers, inbox: "queue.SimpleQueue[Taken]") -> None:
    """Read what comes, and prompts as they come: a long one must not hold up what is being sampled."""
    try:
        while (message := connection.recv()) is not None:
            number, job = message
            if job is None:
                inbox.put((number, None, None))
                continue
            try:
                inbox.put((number, job, samplers.prepare(job)))
            except Exception as error:  # Tokenizers raise whatever they like, and the text is a stranger's.
                known = isinstance(error, DistillgameError)
                inbox.put((number, None, Failure(str(error) if known else "the prompt cannot be read", True)))
    except (EOFError, OSError):
        pass
    inbox.put(None)


def _receive(inbox: "queue.SimpleQueue[Taken]", samplers: Samplers) -> list[Event]:
    """Take in what has come; wait for it where there is nothing else to do."""
    events: list[Event] = []
    cancelled: set[int] = set()
    while not inbox.empty() or not (samplers.busy or events or cancelled):
        taken = inbox.get()
        if taken is None:
            raise EOFError
        number, job, prepared = taken
        if isinstance(prepared, Failure):
            events.append((number, prepared))
        elif job is None or prepared is None:
            cancelled.add(number)
        else:
            samplers.add(number, job, prepared)
    if cancelled:
        samplers.cancel(cancelled)
    return events
