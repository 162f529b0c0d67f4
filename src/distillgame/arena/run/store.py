"""Finished stages on disk, addressed by what they depend on."""

import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EDQUOT, ENOSPC
from pathlib import Path
from typing import Any

from distillgame.arena.stages import Stage, StageContext, library_versions
from distillgame.arena.stages.base import Progress
from distillgame.errors import DistillgameError

MANIFEST = "stage.json"
"""What a finished stage's folder says of itself; its presence makes the stage finished."""


MOST_CHARACTERS = 150
"""Of a label in a folder's name, which file systems limit."""


class Store:
    """A run's folder of stages.

    A stage is computed in a folder ending in ``.partial`` and appears under its own name by an atomic rename, so a
    killed run leaves no half-written result, and a finished stage is never computed twice.

    Args:
        root: The run's folder.
        device: The kind of device results are computed on.
    """

    def __init__(self, root: Path, device: str):
        self.root = root
        self.device = device
        self._verified: set[str] = set()

    def path(self, stage: Stage) -> Path:
        """The folder a stage's result has, finished or not."""
        slug = re.sub(r"[^a-zA-Z0-9.]+", "-", stage.label).strip("-")[:MOST_CHARACTERS]
        return self.root / "stages" / f"{slug}-{stage.key(self.device)[:12]}"

    def has(self, stage: Stage) -> bool:
        """Whether the stage is finished."""
        return (self.path(stage) / MANIFEST).is_file()

    def folder(self, stage: Stage) -> Path:
        """The folder of a finished stage, its files verified against the manifest.

        Raises:
            DistillgameError: If it is not finished, or a file is missing or changed.
        """
        path = self.path(stage)
        if path.name not in self._verified:
            self._verify(path, stage)
            self._verified.add(path.name)
        return path

    def run(self, stage: Stage, progress: Progress) -> None:
        """Compute a stage whose inputs are finished.

        Raises:
            DistillgameError: If its input is bad, or the disk is full.
        """
        final = self.path(stage)
        partial = final.with_name(final.name + ".partial")
        start = time.perf_counter()
        with full_disk_is_an_error(self.root):
            partial.mkdir(parents=True, exist_ok=True)
            stage.run(StageContext(partial, self.folder, self.device, progress))
            shutil.rmtree(partial / "checkpoints", ignore_errors=True)
            for path in [p for p in _files(partial) if p.suffix == ".partial" or p == partial / MANIFEST]:
                path.unlink()  # left by a process that was killed while it wrote, and no part of the result
            manifest = {
                "kind": stage.kind,
                "label": stage.label,
                "key": stage.key(self.device),
                "device": self.device,
                "versions": library_versions(),
                "seconds": round(time.perf_counter() - start, 3),
                "files": {str(p.relative_to(partial)): _hash(p) for p in sorted(_files(partial))},
                "spec": stage.spec(),
            }
            write_text(partial / MANIFEST, json.dumps(manifest, indent=1) + "\n")
            # What lies there without a manifest is no result, and a folder that is not empty cannot be replaced.
            shutil.rmtree(final, ignore_errors=True)
            os.replace(partial, final)

    def _verify(self, path: Path, stage: Stage) -> None:
        hint = f"delete the folder {path} to have it computed again"
        try:
            manifest: dict[str, Any] = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
            files: dict[str, str] = manifest["files"]
            key = manifest["key"]
        except FileNotFoundError as error:
            raise DistillgameError(f"{path}: stage '{stage.label}' is not finished; {hint}") from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DistillgameError(f"{path / MANIFEST}: corrupt; {hint}") from error
        if key != stage.key(self.device):
            raise DistillgameError(f"{path / MANIFEST}: belongs to another stage; {hint}")
        for name, digest in files.items():
            if not (path / name).is_file() or _hash(path / name) != digest:
                raise DistillgameError(f"{path / name}: corrupt or missing; {hint}")


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
def lock(root: Path) -> Iterator[None]:
    """Hold the run's folder for this process; the lock goes with the process, however it ends.

    Raises:
        DistillgameError: If another process holds it, or the folder cannot be made.
    """
    import fcntl

    try:
        root.mkdir(parents=True, exist_ok=True)
        file = (root / ".lock").open("w")
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


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
