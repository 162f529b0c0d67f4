"""Counts of refused requests."""

import threading
import time
from collections import Counter

from sqlalchemy import Connection

from distillgame.gateway.ledger.database import add
from distillgame.gateway.ledger.days import day_of
from distillgame.gateway.ledger.tables import refusals
from distillgame.gateway.ledger.writer import Writer


class RefusalCounter:
    """Counts refused requests and writes them in batches: a flood of them must not become a flood of transactions.

    Args:
        writer: Writes to the database.
    """

    def __init__(self, writer: Writer):
        self._writer = writer
        self._counts: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()

    def note(self, key: str, reason: str) -> None:
        """Count one refusal.

        Args:
            key: Id of the key; empty if the request had none that is known.
            reason: Code of the error.
        """
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
