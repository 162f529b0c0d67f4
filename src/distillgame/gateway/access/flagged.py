"""Owners whose queries look like harvesting: judged by the monitor, flagged in the database."""

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from sqlalchemy import Connection

from distillgame.gateway.access.monitor import Judgement, Monitor
from distillgame.gateway.ledger import Writer, flagged_owners, set_flag
from distillgame.gateway.telemetry import Metrics, log

REFRESH_SECONDS = 5.0
"""Most seconds until a flag that another server has set, or that was cleared, is noticed."""


class FlaggedOwners:
    """The flagged owners, and the monitor that flags them.

    Args:
        writer: Reads and writes the database.
        monitor: The campaign monitor, or None if there is no reference to compare queries with.
        metrics: Counts flagged windows.
    """

    def __init__(self, writer: Writer, monitor: Monitor | None, metrics: Metrics):
        self._writer, self._monitor, self._metrics = writer, monitor, metrics
        self._flagged: frozenset[str] = frozenset()
        self._read = 0.0
        self._judges = ThreadPoolExecutor(1, "monitor")

    @property
    def reads(self) -> bool:
        """True if there is a monitor, which reads the text of each prompt."""
        return self._monitor is not None

    def has(self, owner: str) -> bool:
        """Return whether an owner is flagged."""
        now = time.monotonic()
        if now - self._read > REFRESH_SECONDS:
            self._read = now
            self._writer.submit(self._refresh)
        return owner in self._flagged

    def see(self, owner: str, prompts: list[str]) -> None:
        """Note an owner's queries; windows that they fill are judged in a thread."""
        if self._monitor is None:
            return
        for prompt in prompts:
            window = self._monitor.see(owner, prompt)
            if window is not None:
                self._judges.submit(self._judge, self._monitor, owner, window)

    def close(self) -> None:
        """Judge the windows that are waiting, then stop."""
        self._judges.shutdown()

    def _judge(self, monitor: Monitor, owner: str, window: np.ndarray) -> None:
        judgement = monitor.judge(window)
        if judgement.flagged:
            self._metrics.flagged.inc()
            if owner not in self._flagged:
                log("flagged", owner=owner, statistic=judgement.statistic, threshold=judgement.threshold)
            self._writer.submit(lambda connection: self._flag(connection, owner, judgement))

    def _flag(self, connection: Connection, owner: str, judgement: Judgement) -> None:
        set_flag(connection, owner, judgement.statistic, judgement.threshold)
        # Only changed in the writer's thread, here and in the refresh, so that neither undoes the other.
        self._flagged |= {owner}

    def _refresh(self, connection: Connection) -> None:
        self._flagged = flagged_owners(connection)
