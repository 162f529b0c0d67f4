"""Finished stages on disk, addressed by what they depend on."""

import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from distillgame.arena.stages import MODEL, Stage, StageContext, TrainingStage
from distillgame.arena.stages.base import Progress
from distillgame.arena.store.environment import environment
from distillgame.arena.store.files import full_disk_is_an_error, write_text
from distillgame.arena.store.lease import Lease, LeaseLostError
from distillgame.arena.store.shelf import Folder
from distillgame.errors import DistillgameError

MANIFEST = "stage.json"
"""The file by which a finished stage's folder describes itself; its presence makes the stage finished."""

JOURNALS = "journals"
"""The folder of a run's journals."""

LEASES = "leases"
"""The folder that says who is computing which stage."""

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
        """Return the folder of a stage's result, finished or not."""
        slug = re.sub(r"[^a-zA-Z0-9.]+", "-", stage.label).strip("-")[:MOST_CHARACTERS]
        return self.root / "stages" / f"{slug}-{stage.key(self.device)[:12]}"

    def has(self, stage: Stage) -> bool:
        """Return whether the stage is finished."""
        return (self.path(stage) / MANIFEST).is_file()

    def folder(self, stage: Stage) -> Path:
        """Return the folder of a finished stage, its files verified against the manifest.

        Raises:
            DistillgameError: If it is not finished, or a file is missing or changed.
        """
        path = self.path(stage)
        if path.name not in self._verified:
            self._verify(path, stage)
            self._verified.add(path.name)
        return path

    def run(self, stage: Stage, progress: Progress) -> None:
        """Compute a stage whose inputs are finished, or wait until the process that is computing it has finished.

        Raises:
            DistillgameError: If its input is bad, or the disk is full.
        """
        with full_disk_is_an_error(self.root):
            while not self.has(stage):
                with suppress(LeaseLostError), Lease(Folder(self.root / LEASES), self.path(stage).name) as lease:
                    if lease.acquire(lambda: self.has(stage)):
                        self._compute(stage, progress, lease)

    def _compute(self, stage: Stage, progress: Progress, lease: Lease) -> None:
        """Compute a stage whose lease this process holds.

        Raises:
            LeaseLostError: If another process has taken it over.
        """

        def report(done: int, total: int) -> None:
            if lease.lost:
                raise LeaseLostError(stage.label)
            progress(done, total)

        final = self.path(stage)
        partial = final.with_name(final.name + ".partial")
        start = time.perf_counter()
        partial.mkdir(parents=True, exist_ok=True)
        (self.root / JOURNALS).mkdir(exist_ok=True)
        stage.run(StageContext(partial, self.folder, self.device, report, self.root / JOURNALS))
        shutil.rmtree(partial / "checkpoints", ignore_errors=True)
        for path in [p for p in _files(partial) if p.suffix == ".partial" or p == partial / MANIFEST]:
            path.unlink()  # left by a process that was killed while it wrote, and no part of the result
        manifest = {
            "kind": stage.kind,
            "label": stage.label,
            "key": stage.key(self.device),
            "device": self.device,
            "environment": environment(),
            "seconds": round(time.perf_counter() - start, 3),
            "files": {str(p.relative_to(partial)): _hash(p) for p in sorted(_files(partial))},
            "spec": stage.spec(),
        }
        write_text(partial / MANIFEST, json.dumps(manifest, indent=1) + "\n")
        lease.require()
        # What lies there without a manifest is no result, and a folder that is not empty cannot be replaced.
        shutil.rmtree(final, ignore_errors=True)
        os.replace(partial, final)

    def has_weights(self, stage: TrainingStage) -> bool:
        """Return whether the trained student of a finished stage is still there."""
        return any(Path(name).parts[0] == MODEL for name in self._manifest(stage)["files"])

    def delete_weights(self, stage: TrainingStage) -> None:
        """Delete the trained student of a finished stage, but not the report on it.

        The manifest lets go of the files first: a process that is killed in between leaves files that belong to
        nothing, and deletes them when it comes here again.
        """
        manifest = self._manifest(stage)
        kept = {name: digest for name, digest in manifest["files"].items() if Path(name).parts[0] != MODEL}
        if kept != manifest["files"]:
            write_text(self.path(stage) / MANIFEST, json.dumps(manifest | {"files": kept}, indent=1) + "\n")
        shutil.rmtree(self.path(stage) / MODEL, ignore_errors=True)

    def discard(self, stage: Stage) -> None:
        """Delete a stage's result, so that it is computed again."""
        path = self.path(stage)
        (path / MANIFEST).unlink()
        shutil.rmtree(path)
        self._verified.discard(path.name)

    def _manifest(self, stage: Stage) -> dict[str, Any]:
        path = self.path(stage)
        try:
            manifest: dict[str, Any] = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
            files: dict[str, str] = manifest["files"]
            return manifest | {"files": dict(files)}
        except FileNotFoundError as error:
            raise DistillgameError(f"{path}: stage '{stage.label}' is not finished; {_hint(path)}") from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DistillgameError(f"{path / MANIFEST}: corrupt; {_hint(path)}") from error

    def _verify(self, path: Path, stage: Stage) -> None:
        manifest = self._manifest(stage)
        if manifest.get("key") != stage.key(self.device):
            raise DistillgameError(f"{path / MANIFEST}: belongs to another stage; {_hint(path)}")
        for name, digest in manifest["files"].items():
            if not (path / name).is_file() or _hash(path / name) != digest:
                raise DistillgameError(f"{path / name}: corrupt or missing; {_hint(path)}")


def _hint(path: Path) -> str:
    return f"delete the folder {path} to have it computed again"


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
