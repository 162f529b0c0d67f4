"""Finished stages on disk, addressed by what they depend on."""

import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from distillgame.arena.stages import MODEL, Stage, StageContext, TrainingStage
from distillgame.arena.stages.base import Progress
from distillgame.arena.store.cache import AT, MANIFEST, Cache
from distillgame.arena.store.environment import environment
from distillgame.arena.store.files import alone, full_disk_is_an_error, write_text
from distillgame.arena.store.lease import Lease, LeaseLostError
from distillgame.arena.store.remote import LEASES, Remote
from distillgame.arena.store.shelf import Folder
from distillgame.errors import DistillgameError

JOURNALS = "journals"
"""The folder of a run's journals."""

FETCHING = "fetching"
"""The folder with a file per copy, locked by whoever makes the copy."""

Runner = Callable[[Stage, StageContext], None]
"""A way to run a stage: in this process, or in several."""

MOST_CHARACTERS = 150
"""Of a label in a folder's name, which file systems limit."""


class Store:
    """A run's folder of stages, and the object store in which they are finished, if there is one.

    A stage is computed in a folder ending in ``.partial`` and appears under its own name by an atomic rename, so a
    killed run leaves no half-written result, and a finished stage is never computed twice. With an object store, the
    folder holds this node's copies, and what is finished is what has a manifest there.

    Args:
        root: The run's folder, or with an object store a node's folder of copies.
        device: The kind of device results are computed on.
        remote: The object store.
        cache: Bounds the copies.
    """

    def __init__(self, root: Path, device: str, remote: Remote | None = None, cache: Cache | None = None):
        self.root = root
        self.device = device
        self.remote = remote
        self._cache = cache
        self._verified: set[str] = set()

    def path(self, stage: Stage) -> Path:
        """Return the folder of a stage's result, finished or not."""
        slug = re.sub(r"[^a-zA-Z0-9.]+", "-", stage.label).strip("-")[:MOST_CHARACTERS]
        return self.root / "stages" / f"{slug}-{stage.key(self.device)[:12]}"

    def has(self, stage: Stage, fresh: bool = False) -> bool:
        """Return whether the stage is finished.

        Args:
            stage: The stage.
            fresh: Do not believe what an object store said seconds ago.
        """
        if self.remote is not None:
            return self.remote.has(self.path(stage).name, fresh)
        return (self.path(stage) / MANIFEST).is_file()

    def folder(self, stage: Stage) -> Path:
        """Return the folder of a finished stage, its files verified against the manifest.

        Raises:
            DistillgameError: If it is not finished, or a file is missing or changed.
        """
        path = self.path(stage)
        if path.name not in self._verified:
            manifest = self._manifest(stage)
            if manifest.get("key") != stage.key(self.device):
                raise DistillgameError(f"{path / MANIFEST}: belongs to another stage; {self._hint(path)}")
            if self._cache is not None:
                self._cache.hold(path.name)
            if self.remote is not None:
                # Of several processes of a node that want the same, one fetches it.
                with alone(self.root / FETCHING / path.name):
                    if _changed(path, manifest) is not None:
                        self.remote.fetch(path.name, manifest, path)
            if (changed := _changed(path, manifest)) is not None:
                raise DistillgameError(f"{path / changed}: corrupt or missing; {self._hint(path)}")
            self._verified.add(path.name)
        return path

    def run(self, stage: Stage, progress: Progress, run: Runner | None = None) -> None:
        """Compute a stage whose inputs are finished, or wait until the process that is computing it has finished.

        Args:
            stage: The stage.
            progress: Told how far it is.
            run: Runs it, in several processes perhaps; by default this process does.

        Raises:
            DistillgameError: If its input is bad, the disk is full, or the object store refuses.
        """
        shelf = Folder(self.root) if self.remote is None else self.remote.bucket
        name = self.path(stage).name
        with ExitStack() as stack:
            stack.enter_context(full_disk_is_an_error(self.root))
            if self.remote is not None:
                stack.enter_context(self.remote.bucket.refusals_in_words())
            if self._cache is not None:
                stack.callback(self._cache.release)
                self._cache.hold(name)
            while not self.has(stage, fresh=True):
                with suppress(LeaseLostError), Lease(shelf, f"{LEASES}/{name}") as lease:
                    if lease.acquire(lambda: self.has(stage, fresh=True)):
                        self._finish(stage, progress, lease, run)

    def _finish(self, stage: Stage, progress: Progress, lease: Lease, run: Runner | None) -> None:
        path = self.path(stage)
        # Computed here before, and not brought to the object store: that was full, or did not answer.
        kept = self.remote is not None and (path / MANIFEST).is_file()
        manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8")) if kept else None
        if manifest is None or AT in manifest or _changed(path, manifest) is not None:
            manifest = self._compute(stage, progress, lease, run)
        if self.remote is not None:
            lease.require()
            self.remote.publish(path.name, path, manifest)

    def _compute(self, stage: Stage, progress: Progress, lease: Lease, run: Runner | None) -> dict[str, Any]:
        """Compute a stage whose lease this process holds, into its folder here, and return its manifest.

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
        context = StageContext(partial, self.folder, self.device, report, self.root / JOURNALS)
        if run is None:
            stage.run(context)
        else:
            run(stage, context)
        lease.require()  # The folder is another's, if the right is.
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
        return manifest

    def has_weights(self, stage: TrainingStage) -> bool:
        """Return whether the trained student of a finished stage is still there."""
        return any(Path(name).parts[0] == MODEL for name in self._manifest(stage)["files"])

    def delete_weights(self, stage: TrainingStage) -> None:
        """Delete the trained student of a finished stage, but not the report on it.

        The manifest lets go of the files first: a process that is killed in between leaves files that belong to
        nothing, and deletes them when it comes here again.
        """
        path, manifest = self.path(stage), self._manifest(stage)
        kept = {name: digest for name, digest in manifest["files"].items() if Path(name).parts[0] != MODEL}
        if kept != manifest["files"]:
            if self.remote is not None:
                self.remote.write_manifest(path.name, manifest | {"files": kept})
                self.remote.delete_files(manifest, manifest["files"].keys() - kept.keys())
            else:
                write_text(path / MANIFEST, json.dumps(manifest | {"files": kept}, indent=1) + "\n")
        shutil.rmtree(path / MODEL, ignore_errors=True)

    def discard(self, stage: Stage) -> None:
        """Delete a stage's result, so that it is computed again."""
        path = self.path(stage)
        if self.remote is not None:
            self.remote.delete(path.name, self._manifest(stage))
        (path / MANIFEST).unlink(missing_ok=self.remote is not None)
        shutil.rmtree(path, ignore_errors=self.remote is not None)
        self._verified.discard(path.name)

    def _manifest(self, stage: Stage) -> dict[str, Any]:
        path = self.path(stage)
        try:
            if self.remote is None:
                text: str | None = (path / MANIFEST).read_text(encoding="utf-8")
            else:
                text = self.remote.manifest(path.name)
            if text is None:
                raise FileNotFoundError(path.name)
            manifest: dict[str, Any] = json.loads(text)
            files: dict[str, str] = manifest["files"]
            return manifest | {"files": dict(files)}
        except FileNotFoundError as error:
            raise DistillgameError(f"{path}: stage '{stage.label}' is not finished; {self._hint(path)}") from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DistillgameError(f"{path / MANIFEST}: corrupt; {self._hint(path)}") from error

    def _hint(self, path: Path) -> str:
        place = f"the folder {path}" if self.remote is None else self.remote.place(path.name)
        return f"delete {place} to have it computed again"


def _changed(folder: Path, manifest: Mapping[str, Any]) -> str | None:
    """Return a file that is missing in a folder or is not what the manifest says, or None."""
    for name, digest in manifest["files"].items():
        if not (folder / name).is_file() or _hash(folder / name) != digest:
            return str(name)
    return None


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
