"""The exclusive right to compute a stage, kept up by a heartbeat.

A lease is a file whose text changes with every beat. Whoever finds it unchanged for :data:`EXPIRY` seconds of its own
clock may take the right over, so clocks need not agree. A file is only ever created, never replaced, to gain the right:
the first holder creates number 1, whoever takes over from it number 2. Of several at once, one is told that it did.
"""

import json
import os
import platform
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from distillgame.arena.store.shelf import Shelf

BEAT = 10.0
"""Seconds between two beats."""

EXPIRY = 60.0
"""Seconds without a beat after which a holder counts as dead."""


class LeaseLostError(Exception):
    """Another process has taken the right over, because this one did not beat for too long."""


class Lease:
    """A context that holds the right to compute one stage, once :meth:`acquire` has gained it.

    Args:
        shelf: Where leases lie.
        name: Their folder, which is the stage's own.
        beat: Seconds between two beats.
        expiry: Seconds without a beat after which a holder counts as dead.
    """

    def __init__(self, shelf: Shelf, name: str, beat: float = BEAT, expiry: float = EXPIRY):
        self._shelf, self._name = shelf, name
        self._beat, self._expiry = beat, expiry
        self._holder = uuid.uuid4().hex
        self._place: int | None = None
        self._count = 0
        self._lost = threading.Event()
        self._ended = threading.Event()
        self._heart: threading.Thread | None = None

    def __enter__(self) -> "Lease":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._heart is not None:
            self._heart.join()
        if self._place is not None:
            with suppress(Exception):  # It expires, then.
                for number in self._numbers():
                    if number <= self._place:
                        self._shelf.delete(self._file(number))

    def acquire(self, finished: Callable[[], bool]) -> bool:
        """Wait for the right.

        Args:
            finished: Whether somebody else has computed the stage meanwhile.

        Returns:
            True if this process holds the right, False if the stage is finished.
        """
        seen, silent, last = "", 0.0, time.monotonic()
        pause = min(self._beat / 5, 1.0)
        while not finished():
            numbers = self._numbers()
            newest = numbers[-1] if numbers else 0
            text = self._shelf.read(self._file(newest)) if numbers else None
            if numbers and text is None:  # Given back just now.
                self._ended.wait(pause / 10)
                continue
            # Time in which the store did not answer says nothing about the holder.
            silent = silent + min(time.monotonic() - last, 2 * pause) if text == seen else 0.0
            seen, last = text or "", time.monotonic()
            stale = not numbers or _is_dead(seen) or silent > self._expiry
            if stale and self._take(newest, seen):
                return not finished()  # Its holder may have finished it, and given the right back, just now.
            self._ended.wait(pause)
        return False

    def require(self) -> None:
        """Check that the right is still this process's.

        Raises:
            LeaseLostError: If another has it.
        """
        if self._lost.is_set() or self._numbers()[-1:] != [self._place]:
            self._lost.set()
            raise LeaseLostError(self._name)

    @property
    def lost(self) -> bool:
        """True once a beat found that another holds the right."""
        return self._lost.is_set()

    def _take(self, newest: int, seen: str) -> bool:
        """Create the file after ``newest``, if that still says what was seen, and start to beat."""
        mine = self._file(newest + 1)
        # A store that has written, and whose answer was lost, refuses the second attempt.
        if not self._shelf.create(mine, self._text()) and self._holder_of(mine) != self._holder:
            return False
        changed = newest > 0 and self._shelf.read(self._file(newest)) not in (None, seen)
        if changed or self._numbers()[-1:] != [newest + 1]:
            self._shelf.delete(mine)
            return False
        self._place = newest + 1
        self._heart = threading.Thread(target=self._keep_beating, daemon=True)
        self._heart.start()
        return True

    def _keep_beating(self) -> None:
        while not self._ended.wait(self._beat):
            with suppress(Exception):  # The next beat may come through; if none does, another takes over.
                if self._numbers()[-1:] != [self._place]:
                    self._lost.set()
                    return
                self._count += 1
                self._shelf.write(self._file(self._place or 0), self._text())

    def _holder_of(self, file: str) -> Any:
        return _parse(self._shelf.read(file) or "").get("holder")

    def _numbers(self) -> list[int]:
        return sorted(int(name) for name in self._shelf.list(self._name) if name.isdigit())

    def _file(self, number: int) -> str:
        return f"{self._name}/{number:06d}"

    def _text(self) -> str:
        return json.dumps({"holder": self._holder, "beat": self._count, **_process()})


def _process() -> dict[str, Any]:
    """Return what names this process among all of all machines, so that its death is seen at once where it lived."""
    pid = os.getpid()
    return {"node": platform.node(), "machine": _machine(), "pid": pid, "started": _started(pid)}


def _machine() -> str | None:
    """Return what tells process ids of this machine and container from all others; None where nothing does."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return None


def _started(pid: int) -> str | None:
    """Return when a process started, in the system's ticks; None if there is none of that id."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return None


def _is_dead(text: str) -> bool:
    """Return whether a lease's holder lived on this machine, and does no more."""
    lease = _parse(text)
    here = lease.get("machine") is not None and lease.get("machine") == _machine()
    return here and _started(lease["pid"]) != lease.get("started")


def _parse(text: str) -> dict[str, Any]:
    with suppress(ValueError):
        found = json.loads(text)
        return found if isinstance(found, dict) else {}
    return {}
