"""Files of a run's folder: written whole, held by one process, and a full disk said in one line."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EDQUOT, ENOSPC
from pathlib import Path

from distillgame.errors import DistillgameError

LOCK = ".lock"
"""The file of a run's folder that the process which plays the run holds."""


@contextmanager
def full_disk_is_an_error(root: Path) -> Iterator[None]:
    """Turn the system's report of a full disk into one line; what was finished stays."""
    try:
        yield
    except Exception as error:
        # Writers of weights raise errors of their own, which only quote the system's.
        quoted = any(os.strerror(number) in str(error) for number in (ENOSPC, EDQUOT))
        if not quoted and getattr(error, "errno", None) not in (ENOSPC, EDQUOT):
            raise
        raise DistillgameError(
            f"no space left on the disk of {root}: free some and start again; finished stages are kept"
        ) from error


def write_text(path: Path, text: str) -> None:
    """Write a file that appears whole or not at all."""
    partial = path.with_name(path.name + ".partial")
    with partial.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Wait until no other process of this machine is in a context with the same path, a file made for that."""
    import fcntl

    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def lock(root: Path) -> Iterator[None]:
    """Hold the run's folder for this process; the lock goes with the process, however it ends.

    Raises:
        DistillgameError: If another process holds it, or the folder cannot be made.
    """
    import fcntl

    try:
        root.mkdir(parents=True, exist_ok=True)
        file = (root / LOCK).open("w")
    except OSError as error:
        raise DistillgameError(f"{root}: cannot be written to ({error.strerror}); choose another folder") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise DistillgameError(
                f"{root}: another run is using this folder; wait for it or choose another"
            ) from error
        yield
