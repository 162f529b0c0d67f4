"""The database of keys and ledger: one writer thread that commits many requests' changes in one transaction."""

import asyncio
import logging
import os
import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from distillgame.errors import DistillgameError
from distillgame.gateway.ledger.tables import SCHEMA, facts, metadata
from distillgame.gateway.telemetry import log

T = TypeVar("T")

AT_ONCE = 256
"""Most changes in one transaction."""

POSTGRESQL: dict[str, Any] = {
    "pool_pre_ping": True,
    # In a database without an encoding of its own, texts would come back as bytes.
    "connect_args": {"client_encoding": "utf8", "connect_timeout": 10},
}
"""How connections to PostgreSQL are made."""

TRIES, RETRY_SECONDS = 60, 2.0
"""How often, and how long apart, a change is tried that has to be made."""

READING = "distillgame_reading"
"""The option of a connection that changes nothing."""

BUSY_SECONDS = 10
"""How long SQLite waits for another process's transaction."""


def open_database(url: str, create: bool = True) -> Engine:
    """Connect, and make the tables where there are none.

    Args:
        url: A database URL, as in ``sqlite:///ledger.db`` or ``postgresql://user@host/name``.
        create: Whether a SQLite file that does not exist is made.

    Raises:
        DistillgameError: If the URL is malformed, the database out of reach, or its tables of another version.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise DistillgameError("ledger: not a database URL; write sqlite:///FILE or postgresql://...") from error
    if parsed.drivername == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    shown = parsed.render_as_string(hide_password=True)
    if parsed.get_backend_name() not in ("sqlite", "postgresql"):
        raise DistillgameError(f"ledger: {shown}: only sqlite and postgresql are supported")
    is_file = parsed.get_backend_name() == "sqlite"
    if is_file:
        _prepare_file(parsed.database, shown, create)
    try:
        engine = create_engine(parsed, **({} if is_file else POSTGRESQL))
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        raise DistillgameError(
            f"ledger: {shown}: its driver is missing: pip install 'distillgame[postgres]'"
        ) from error
    if is_file:
        event.listen(engine, "connect", _set_up_sqlite)
    # One transaction at a time, over all servers: budgets are read and then taken from.
    event.listen(engine, "begin", _begin_immediate if is_file else _begin_alone)
    try:
        with engine.begin() as connection:
            metadata.create_all(connection)
            remember(connection, "schema", str(SCHEMA))
            found = connection.scalar(select(facts.c.value).where(facts.c.name == "schema"))
    except SQLAlchemyError as error:
        raise DistillgameError(f"ledger: {shown}: {reason(error)}") from error
    if found != str(SCHEMA):
        raise DistillgameError(f"ledger: {shown}: its tables have version {found}, this program's have {SCHEMA}")
    return engine


def reason(error: SQLAlchemyError) -> str:
    """What went wrong, in one line, without the statement and its values."""
    return " ".join(str(getattr(error, "orig", None) or error).split())[:200]


def remember(connection: Connection, name: str, value: str) -> None:
    """Keep a fact, unless there is one of that name."""
    connection.execute(insert_new(connection, facts).values(name=name, value=value).on_conflict_do_nothing())


def insert_new(connection: Connection, table: Any) -> Any:
    """An insert of the connection's dialect that may say what to do on a conflict."""
    return (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(table)


def _prepare_file(path: str | None, shown: str, create: bool) -> None:
    if not path or path == ":memory:":
        raise DistillgameError(f"ledger: {shown}: name a file, as in sqlite:///ledger.db")
    if not create and not Path(path).is_file():
        raise DistillgameError(f"ledger: {shown}: no such file; it is made by `distillgame keys create` or `serve`")
    try:
        # The secret and the keys' digests are the owner's alone.
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise DistillgameError(f"ledger: {shown}: {error.strerror or error}") from error


def _set_up_sqlite(connection: Any, _: Any) -> None:
    # Transactions are begun by us, at once for writing, so that none fails half-way for a lock.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000}")
    cursor.execute("PRAGMA journal_mode=WAL")
    # With WAL and NORMAL a commit survives the process, with FULL the power too.
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN" if connection.get_execution_options().get(READING) else "BEGIN IMMEDIATE")


def _begin_alone(connection: Connection) -> None:
    if not connection.get_execution_options().get(READING):
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(71905)")


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A connection that sees one state of the database and holds nobody up, however long it takes."""
    with engine.connect().execution_options(**{READING: True}) as connection, connection.begin():
        yield connection


Change = Callable[[Connection], T]
"""Something to be done in a transaction."""


class Writer:
    """Makes changes in the order in which they come, many to a transaction; each is told when it is committed.

    Args:
        engine: The database.
    """

    def __init__(self, engine: Engine):
        self.engine = engine
        self._queue: queue.SimpleQueue[tuple[Change[Any], Future[Any]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
        self._thread.start()

    def submit(self, change: Change[T]) -> "Future[T]":
        """Queue a change; its result is there once it is committed."""
        future: Future[T] = Future()
        future.add_done_callback(_note_failure)
        self._queue.put((change, future))
        return future

    def insist(self, change: Change[Any], tries: int = TRIES) -> None:
        """Queue a change that is tried again for a while if the database fails; it has to be sound to do twice."""

        def again(future: "Future[Any]") -> None:
            if not future.cancelled() and isinstance(future.exception(), SQLAlchemyError) and tries > 1:
                timer = threading.Timer(RETRY_SECONDS, self.insist, (change, tries - 1))
                timer.daemon = True
                timer.start()

        self.submit(change).add_done_callback(again)

    async def read(self, query: Change[T]) -> T:
        """Ask something that may take long, beside the changes."""

        def ask() -> T:
            with reading(self.engine) as connection:
                return query(connection)

        return await asyncio.to_thread(ask)

    async def write(self, change: Change[T]) -> T:
        """Make a change and return what it returned, after it was committed."""
        return await asyncio.wrap_future(self.submit(change))

    def close(self) -> None:
        """Make what is queued and stop."""
        self._queue.put(None)
        self._thread.join()
        self.engine.dispose()

    def _run(self) -> None:
        going = True
        while going:
            waiting = [self._queue.get()]
            while len(waiting) < AT_ONCE:
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


def _note_failure(future: "Future[Any]") -> None:
    """Log what failed: of many changes nobody waits for the end."""
    error = None if future.cancelled() else future.exception()
    if error is not None and not isinstance(error, DistillgameError):
        log("a change of the database failed", logging.ERROR, error=type(error).__name__)


def add(connection: Connection, table: Any, values: dict[str, Any], amounts: dict[str, Any]) -> None:
    """Add ``amounts`` to the row of ``values``, which is made if there is none."""
    statement = insert_new(connection, table).values(**values, **amounts)
    sums = {name: table.c[name] + statement.excluded[name] for name in amounts}
    connection.execute(statement.on_conflict_do_update(index_elements=list(table.primary_key.columns), set_=sums))
