"""What the routes of one server share, opened when it starts and closed when it stops."""

import secrets
import threading
import time
from collections import Counter
from dataclasses import dataclass

from sqlalchemy import Connection, select

from distillgame.errors import DistillgameError
from distillgame.gateway.access.admission import Admission
from distillgame.gateway.access.authentication import Keyring
from distillgame.gateway.access.flagged import Flags
from distillgame.gateway.access.monitor import Monitor, read_reference
from distillgame.gateway.backends.base import Backend
from distillgame.gateway.backends.local import LocalBackend
from distillgame.gateway.backends.upstream import UpstreamBackend
from distillgame.gateway.config.serve import ServeConfig
from distillgame.gateway.exchange.exchange import Serving
from distillgame.gateway.ledger.database import Writer, add, open_database, remember
from distillgame.gateway.ledger.days import day_of
from distillgame.gateway.ledger.leases import Ledger
from distillgame.gateway.ledger.tables import facts, refusals
from distillgame.gateway.telemetry import Metrics


class Refusals:
    """Counts refused requests, written together: a flood of them must not become a flood of transactions.

    Args:
        writer: The database.
    """

    def __init__(self, writer: Writer):
        self._writer = writer
        self._counts: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()

    def note(self, key: str, reason: str) -> None:
        """Count one."""
        with self._lock:
            if not self._counts:
                self._writer.submit(self._write)
            self._counts[key, reason] += 1

    def _write(self, connection: Connection) -> None:
        with self._lock:
            counts, self._counts = self._counts, Counter()
        day = day_of(time.time())
        for (key, reason), count in counts.items():
            add(connection, refusals, {"key": key, "day": day, "reason": reason}, {"count": count})


@dataclass
class Rooms:
    """What the routes share.

    Attributes:
        backend: What samples.
        admission: Who may.
        serving: Serves who may.
        metrics: Counts.
        refusals: Counts refused requests.
        flags: Owners who look like harvesting.
        writer: The database.
    """

    backend: Backend
    admission: Admission
    serving: Serving
    metrics: Metrics
    refusals: Refusals
    flags: Flags
    writer: Writer

    async def close(self) -> None:
        """Stop sampling, then write what is left to write."""
        await self.backend.close()
        self.flags.close()
        self.writer.close()


def open_rooms(config: ServeConfig) -> Rooms:
    """Open the database and put everything together.

    Raises:
        DistillgameError: If the database is out of reach or the monitor's reference not readable.
    """
    reference = config.monitor.reference
    monitor = None
    if reference is not None:
        monitor = Monitor(read_reference(reference), config.monitor.window, config.monitor.false_alarm)
    writer = Writer(open_database(config.ledger))
    try:
        secret = writer.submit(_secret).result()
    except Exception as error:
        writer.close()
        raise DistillgameError(f"ledger: cannot be written: {type(error).__name__}") from error
    backend: Backend = LocalBackend(config) if config.upstream is None else UpstreamBackend(config, config.upstream)
    metrics = Metrics(backend.load)
    flags = Flags(writer, monitor, metrics)
    admission = Admission(config, Keyring(writer), Ledger(writer), flags, secret)
    serving = Serving(config, backend, admission, metrics)
    return Rooms(backend, admission, serving, metrics, Refusals(writer), flags, writer)


def _secret(connection: Connection) -> bytes:
    """What random streams are keyed by: made once, the same for all servers of a database."""
    remember(connection, "secret", secrets.token_hex(32))
    return bytes.fromhex(str(connection.scalar(select(facts.c.value).where(facts.c.name == "secret"))))
