"""The ledger's writer: one thread that commits the changes of many requests in one transaction."""

import asyncio
import logging
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from distillgame.errors import DistillgameError
from distillgame.gateway.ledger.database import reading
from distillgame.gateway.telemetry import log

T = TypeVar("T")

MOST_CHANGES = 256
"""Most changes in one transaction."""

TRIES, RETRY_SECONDS = 60, 2.0
"""Number of attempts at a change that must be made, and the seconds between them."""

Change = Callable[[Connection], T]
"""A function that is called in a transaction."""


class Writer:
    """Makes changes in the order of their arrival, many per transaction, and reports each once it is committed.

    Args:
        engine: The database.
    """

    def __init__(self, engine: Engine):
        self.engine = engine
        self._queue: queue.SimpleQueue[tuple[Change[Any], Future[Any]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
        self._thread.start()

    def submit(self, change: Change[T]) -> "Future[T]":
        """Queue a change and return a future of its result, which is set once the change is committed."""
        future: Future[T] = Future()
        future.add_done_callback(_log_failure)
        self._queue.put((change, future))
        return future

    def insist(self, change: Change[Any], tries: int = TRIES) -> None:
        """Queue a change that is tried again if the database fails.

        Args:
            change: The change; making it twice must be the same as making it once.
            tries: Number of attempts.
        """

        def again(future: "Future[Any]") -> None:
            if not future.cancelled() and isinstance(future.exception(), SQLAlchemyError) and tries > 1:
                timer = threading.Timer(RETRY_SECONDS, self.insist, (change, tries - 1))
                timer.daemon = True
                timer.start()

        self.submit(change).add_done_callback(again)

    async def read(self, query: Change[T]) -> T:
        """Run a query, which may take long, beside the changes."""

        def ask() -> T:
            with reading(self.engine) as connection:
                return query(connection)

        return await asyncio.to_thread(ask)

    async def write(self, change: Change[T]) -> T:
        """Make a change and return its result after it was committed."""
        return await asyncio.wrap_future(self.submit(change))

    def close(self) -> None:
        """Make the changes that are queued, then stop."""
        self._queue.put(None)
        self._thread.join()
        self.engine.dispose()

    def _run(self) -> None:
        going = True
        while going:
            waiting = [self._queue.get()]
            while len(waiting) < MOST_CHANGES:
                try:
                    waiting.append(self._queue.get_nowait())
                except queue.Empty:
                    break
            going = None not in waiting
            changes = [item for item in waiting if item is not None and item[1].set_running_or_notify_cancel()]
            if changes:
                self._commit(changes)

    def _commit(self, changes: list[tuple[Change[Any], "Future[Any]"]]) -> None:
        outcomes: list[tuple[Future[Any], Any, BaseException | None]] = []
        try:
            with self.engine.begin() as connection:
                for change, future in changes:
                    try:
                        outcomes.append((future, change(connection), None))
                    except DistillgameError as error:
                        # Refused before it changed anything; the others are unaffected.
                        outcomes.append((future, None, error))
        except Exception as error:
            for _, future in changes:
                future.set_exception(error)
            return
        for future, result, refused in outcomes:
            if refused is None:
                future.set_result(result)
            else:
                future.set_exception(refused)


def _log_failure(future: "Future[Any]") -> None:
    """Log a failed change: nobody waits for the result of many changes."""
    error = None if future.cancelled() else future.exception()
    if error is not None and not isinstance(error, DistillgameError):
        log("a change of the database failed", logging.ERROR, error=type(error).__name__)
