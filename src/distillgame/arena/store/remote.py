"""The finished stages of a run in an object store, where every node finds them."""

import hashlib
import json
import os
import shutil
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from distillgame.arena.store.bucket import Bucket
from distillgame.arena.store.cache import AT, MANIFEST
from distillgame.arena.store.lease import EXPIRY, Lease
from distillgame.errors import DistillgameError

MANIFESTS, FILES = "manifests", "stages"
"""Folders of the store: the manifests, each named for its stage, and the stages' files."""

LEASES = "leases"
"""The folder that says who is computing which stage."""

RUN = "run"
"""The name of a whole run's lease."""

LISTING_SECONDS = 5.0
"""For how long a listing of the finished stages is believed when it lacks one."""


class Remote:
    """The finished stages of a run in an object store.

    A stage's files go to a folder that no other attempt uses, and its manifest comes last: what has a manifest is
    finished and whole, and no attempt can change the files of another.

    Args:
        bucket: The run's folder in the store.
    """

    def __init__(self, bucket: Bucket):
        self.bucket = bucket
        self.forget()

    def forget(self) -> None:
        """Believe nothing that the store said before."""
        self._finished: set[str] = set()
        self._listed = -LISTING_SECONDS

    def has(self, name: str, fresh: bool = False) -> bool:
        """Return whether a stage is finished.

        Args:
            name: The stage's name.
            fresh: Ask for this stage, instead of believing a listing of a few seconds ago.
        """
        if fresh:
            (self._finished.discard if self.manifest(name) is None else self._finished.add)(name)
        elif name not in self._finished and time.monotonic() - self._listed > LISTING_SECONDS:
            with self.bucket.refusals_in_words():
                self._finished |= {found.removesuffix(".json") for found in self.bucket.list(MANIFESTS)}
            self._listed = time.monotonic()
        return name in self._finished

    def place(self, name: str) -> str:
        """Return the URL of a stage's manifest."""
        return f"{self.bucket.url}/{MANIFESTS}/{name}.json"

    def manifest(self, name: str) -> str | None:
        """Return a finished stage's manifest, or None if it is not finished."""
        with self.bucket.refusals_in_words():
            return self.bucket.read(f"{MANIFESTS}/{name}.json")

    def write_manifest(self, name: str, manifest: Mapping[str, Any]) -> None:
        """Replace a finished stage's manifest."""
        with self.bucket.refusals_in_words():
            self.bucket.write(f"{MANIFESTS}/{name}.json", _text(manifest))

    def publish(self, name: str, folder: Path, manifest: Mapping[str, Any]) -> bool:
        """Make a stage finished that was computed on this machine.

        Args:
            name: The stage's name.
            folder: Its files.
            manifest: What describes them.

        Returns:
            False if another process had finished it before; its result stays.
        """
        at = f"{FILES}/{name}/{uuid.uuid4().hex[:12]}"
        whole = _text({**manifest, AT: at})
        with self.bucket.refusals_in_words():
            for file in manifest["files"]:
                self.bucket.upload(folder / file, f"{at}/{file}")
            first = self.bucket.create(f"{MANIFESTS}/{name}.json", whole)
            # A store that has written, and whose answer was lost, refuses the second attempt.
            if first or self.bucket.read(f"{MANIFESTS}/{name}.json") == whole:
                return True
            for file in manifest["files"]:
                self.bucket.delete(f"{at}/{file}")
            return False

    def fetch(self, name: str, manifest: Mapping[str, Any], target: Path) -> None:
        """Copy a finished stage's files to a folder of this machine, which appears whole.

        Raises:
            DistillgameError: If a file is missing in the store.
        """
        target.parent.mkdir(parents=True, exist_ok=True)
        arriving = target.with_name(f"{target.name}.{uuid.uuid4().hex[:8]}.arriving")
        try:
            for file in manifest["files"]:
                (arriving / file).parent.mkdir(parents=True, exist_ok=True)
                self._download(f"{manifest[AT]}/{file}", arriving / file)
            (arriving / MANIFEST).write_text(_text(manifest), encoding="utf-8")
            shutil.rmtree(target, ignore_errors=True)
            os.replace(arriving, target)
        finally:
            shutil.rmtree(arriving, ignore_errors=True)

    def copy_outputs(self, root: Path) -> None:
        """Copy the files of a run's folder that a person reads: results, summary, page, rows."""
        with self.bucket.refusals_in_words():
            for path in sorted([*root.glob("*"), *root.glob("rows/*")]):
                if path.is_file() and not path.name.startswith("."):
                    self.bucket.upload(path, str(path.relative_to(root)))

    def delete(self, name: str, manifest: Mapping[str, Any]) -> None:
        """Make a stage unfinished."""
        with self.bucket.refusals_in_words():
            self.bucket.delete(f"{MANIFESTS}/{name}.json")
            self._finished.discard(name)
        self.delete_files(manifest, manifest["files"])

    def delete_files(self, manifest: Mapping[str, Any], files: Iterable[str]) -> None:
        """Delete files of a stage."""
        with self.bucket.refusals_in_words():
            for file in files:
                self.bucket.delete(f"{manifest[AT]}/{file}")

    def _download(self, name: str, path: Path) -> None:
        with self.bucket.refusals_in_words():
            try:
                self.bucket.download(name, path)
            except FileNotFoundError as error:
                raise DistillgameError(f"{self.bucket.url}/{name}: missing in the store") from error


def _text(manifest: Mapping[str, Any]) -> str:
    return json.dumps(manifest, indent=1) + "\n"


@cache
def remote_at(url: str) -> Remote:
    """Return the finished stages at a URL, one object per process.

    Raises:
        DistillgameError: If the URL is of an unknown kind.
    """
    return Remote(Bucket(url))


def node_folder(url: str) -> Path:
    """Return the folder in which a node keeps copies of what lies at a URL.

    It is in the folder that ``DISTILLGAME_CACHE`` names, or the user's own for caches.
    """
    own = (
        os.environ.get("DISTILLGAME_CACHE")
        or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "distillgame"
    )
    return Path(own) / hashlib.sha256(url.rstrip("/").encode()).hexdigest()[:16]


@contextmanager
def holding(url: str) -> Iterator[Remote]:
    """Be the only run that uses an object store's folder.

    Raises:
        DistillgameError: If another run does, or the store cannot be written to.
    """
    remote = remote_at(url)
    remote.forget()
    remote.bucket.require_writable()
    deadline = time.monotonic() + 1.5 * EXPIRY
    with Lease(remote.bucket, f"{LEASES}/{RUN}") as lease:
        with remote.bucket.refusals_in_words():
            held = lease.acquire(lambda: time.monotonic() > deadline)
        if not held:
            raise DistillgameError(f"{url}: another run is using this folder; wait for it or choose another")
        yield remote
