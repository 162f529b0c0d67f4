"""Owners whose queries look like harvesting: judged by the monitor, kept in the database."""

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from sqlalchemy import Connection, delete, select

from distillgame.errors import DistillgameError
from distillgame.gateway.access.monitor import Judgement, Monitor
from distillgame.gateway.ledger.database import Writer, insert_new
from distillgame.gateway.ledger.tables import flags
from distillgame.gateway.telemetry import Metrics, log

REFRESH_SECONDS = 5.0
"""How long it takes at most until another server's flag, or a cleared one, is noticed."""


class Flags:
    """The flagged owners.

    Args:
        writer: The database.
        monitor: The campaign monitor, or None if there is no reference to compare with.
        metrics: Counts flagged windows.
    """

    def __init__(self, writer: Writer, monitor: Monitor | None, metrics: Metrics):
        self._writer, self._monitor, self._metrics = writer, monitor, metrics
        self._flagged: frozenset[str] = frozenset()
        self._read = 0.0
        self._judges = ThreadPoolExecutor(1, "monitor")

    def has(self, owner: str) -> bool:
        """Whether an owner is flagged."""
        now = time.monotonic()
        if now - self._read > REFRESH_SECONDS:
            self._read = now
            self._writer.submit(self._refresh)
        return owner in self._flagged

    def see(self, owner: str, prompts: list[str]) -> None:
        """Take in queries; windows that they fill are judged beside what is served."""
        if self._monitor is None:
            return
        for prompt in prompts:
            window = self._monitor.see(owner, prompt)
            if window is not None:
                self._judges.submit(self._judge, self._monitor, owner, window)

    def close(self) -> None:
        """Judge what is left to judge."""
        self._judges.shutdown()

    def _judge(self, monitor: Monitor, owner: str, window: np.ndarray) -> None:
        judgement = monitor.judge(window)
        if judgement.flagged:
            self._metrics.flagged.inc()
            if owner not in self._flagged:
                log("flagged", owner=owner, statistic=judgement.statistic, threshold=judgement.threshold)
            self._writer.submit(lambda connection: self._flag(connection, owner, judgement))

    def _flag(self, connection: Connection, owner: str, judgement: Judgement) -> None:
        values = {"flagged": time.time(), "statistic": judgement.statistic, "threshold": judgement.threshold}
        statement = insert_new(connection, flags).values(owner=owner, **values)
        connection.execute(statement.on_conflict_do_update(index_elements=[flags.c.owner], set_=values))
        # Here and in the refresh alone, so that neither undoes the other.
        self._flagged |= {owner}

    def _refresh(self, connection: Connection) -> None:
        self._flagged = frozenset(connection.scalars(select(flags.c.owner)))


def clear_flag(connection: Connection, owner: str) -> None:
    """Take an owner's flag away.

    Raises:
        DistillgameError: If there is none.
    """
    if connection.execute(delete(flags).where(flags.c.owner == owner)).rowcount == 0:
        raise DistillgameError(f"owner '{owner}': not flagged")
