"""The database of keys and ledger, in SQLite or PostgreSQL: connections, transactions and small helpers."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from distillgame.errors import DistillgameError
from distillgame.gateway.ledger.tables import SCHEMA, facts, metadata

POSTGRESQL: dict[str, Any] = {
    "pool_pre_ping": True,
    # A database without an encoding of its own would return texts as bytes.
    "connect_args": {"client_encoding": "utf8", "connect_timeout": 10},
}
"""Options of connections to PostgreSQL."""

READING = "distillgame_reading"
"""Option of a connection that only reads."""

MARK_SECRET = "mark secret"
"""The fact that holds the secret from which the keys of marks follow."""

BUSY_SECONDS = 10
"""Seconds for which SQLite waits for another process's transaction."""


def open_database(url: str, create: bool = True) -> Engine:
    """Connect to a database, and create the tables that are missing.

    Args:
        url: A database URL, as in ``sqlite:///ledger.db`` or ``postgresql://user@host/name``.
        create: Create a SQLite file that does not exist.

    Raises:
        DistillgameError: If the URL is malformed, the database cannot be reached, or its tables have another version.
    """
    parsed = require_database_url(url)
    shown = parsed.render_as_string(hide_password=True)
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
    # One transaction at a time, across all servers: a transaction reads a budget and then spends from it.
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


def require_database_url(url: str) -> URL:
    """Return the parts of a database's URL, with the driver that is used.

    Raises:
        DistillgameError: If it is malformed, or of a database that is not supported.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise DistillgameError("ledger: not a database URL; write sqlite:///FILE or postgresql://...") from error
    if parsed.drivername == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() not in ("sqlite", "postgresql"):
        shown = parsed.render_as_string(hide_password=True)
        raise DistillgameError(f"ledger: {shown}: only sqlite and postgresql are supported")
    return parsed


def reason(error: SQLAlchemyError) -> str:
    """Return the cause of a database error in one line, without the statement and its values."""
    return " ".join(str(getattr(error, "orig", None) or error).split())[:200]


def remember(connection: Connection, name: str, value: str) -> None:
    """Store a fact, unless there is one of that name."""
    connection.execute(insert_new(connection, facts).values(name=name, value=value).on_conflict_do_nothing())


def stream_secret(connection: Connection) -> bytes:
    """Return the secret that keys random streams: created once, the same for all servers of a database."""
    return _kept_secret(connection, "secret")


def mark_secret(connection: Connection) -> bytes:
    """Return the secret from which the keys of marks follow: created once, the same for all servers of a database."""
    return _kept_secret(connection, MARK_SECRET)


def find_mark_secret(connection: Connection) -> bytes:
    """Return the secret from which the keys of marks follow, without writing.

    Raises:
        DistillgameError: If the database has none.
    """
    found = connection.scalar(select(facts.c.value).where(facts.c.name == MARK_SECRET))
    if found is None:
        raise DistillgameError(
            "ledger: it records marks, but the secret of their keys is missing: name the database that the server "
            "writes, not a copy without it"
        )
    return bytes.fromhex(str(found))


def _kept_secret(connection: Connection, name: str) -> bytes:
    remember(connection, name, secrets.token_hex(32))
    return bytes.fromhex(str(connection.scalar(select(facts.c.value).where(facts.c.name == name))))


def insert_new(connection: Connection, table: Any) -> Any:
    """Return an insert statement that supports ``on_conflict_do_...`` in the connection's dialect."""
    return (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(table)


def _prepare_file(path: str | None, shown: str, create: bool) -> None:
    if not path or path == ":memory:":
        raise DistillgameError(f"ledger: {shown}: name a file, as in sqlite:///ledger.db")
    if not create and not Path(path).is_file():
        raise DistillgameError(f"ledger: {shown}: no such file; it is made by `distillgame keys create` or `serve`")
    try:
        # Only the owner may read the secret and the digests of keys.
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise DistillgameError(f"ledger: {shown}: {error.strerror or error}") from error


def _set_up_sqlite(connection: Any, _: Any) -> None:
    # We begin transactions ourselves, for writing from the start, so that none fails half-way for lack of a lock.
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
    """Open a connection that sees one state of the database and blocks nobody, however long it takes."""
    with engine.connect().execution_options(**{READING: True}) as connection, connection.begin():
        yield connection


def add(connection: Connection, table: Any, values: dict[str, Any], amounts: dict[str, Any]) -> None:
    """Add ``amounts`` to the row of ``values``, which is created if there is none."""
    statement = insert_new(connection, table).values(**values, **amounts)
    sums = {name: table.c[name] + statement.excluded[name] for name in amounts}
    connection.execute(statement.on_conflict_do_update(index_elements=list(table.primary_key.columns), set_=sums))
