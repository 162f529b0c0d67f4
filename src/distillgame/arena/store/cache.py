"""The bound on a node's copies of finished stages."""

import fcntl
import json
import os
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import TextIO

MANIFEST = "stage.json"
"""The file by which a finished stage's folder describes itself; its presence makes the stage finished."""

AT = "at"
"""The field of a manifest that names the folder of the files in the object store."""

USES = "uses"
"""The folder with a file per copy, locked by whoever reads the copy and touched when it begins to."""

ABANDONED_SECONDS = 24 * 3600.0
"""Age of a copy that never became whole after which its maker counts as dead."""


class Cache:
    """The copies of finished stages on one node, shared by its processes.

    Args:
        root: The folder with the copies.
        bound: Bytes that they may take. Copies that are being read stay, beyond it if they must.
    """

    def __init__(self, root: Path, bound: float):
        self._copies, self._uses, self._bound = root / "stages", root / USES, bound
        self._held: dict[str, TextIO] = {}

    def hold(self, name: str) -> None:
        """Keep a copy, or one that is about to be made, until :meth:`release`."""
        if name not in self._held:
            self._uses.mkdir(parents=True, exist_ok=True)
            # Open for both: where flock is made of locks of ranges, as on NFS, a shared one reads.
            file = (self._uses / name).open("a+")
            fcntl.flock(file, fcntl.LOCK_SH)
            os.utime(file.fileno())
            self._held[name] = file

    def release(self) -> None:
        """Let go of all copies, and delete those that were not read for longest while there are too many."""
        for file in self._held.values():
            file.close()
        self._held.clear()
        copies = [path for path in self._copies.glob("*") if path.suffix not in {".partial", ".arriving"}]
        sizes = {path: _size(path) for path in copies}
        total = sum(sizes.values())
        for path in sorted(copies, key=self._last_use):
            if total <= self._bound:
                break
            if self._delete(path):
                total -= sizes[path]
        for path in self._copies.glob("*.arriving"):
            with suppress(OSError):
                if time.time() - path.stat().st_mtime > ABANDONED_SECONDS:
                    shutil.rmtree(path)

    def _last_use(self, path: Path) -> float:
        try:
            return (self._uses / path.name).stat().st_mtime
        except OSError:
            return 0.0

    def _delete(self, path: Path) -> bool:
        """Delete a copy unless it is being read, or is a result that the store has not taken yet.

        The file of its uses stays: somebody may be waiting for the lock.
        """
        if not self._is_copy(path):
            return False
        self._uses.mkdir(parents=True, exist_ok=True)
        with (self._uses / path.name).open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                return False
            shutil.rmtree(path, ignore_errors=True)
        return True

    def _is_copy(self, path: Path) -> bool:
        try:
            return AT in json.loads((path / MANIFEST).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return True  # Nothing whole.


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):
            total += path.stat().st_size
    return total
