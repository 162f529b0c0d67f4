"""A folder in an object store, reached over the network by URL."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from distillgame.arena.store.shelf import Shelf
from distillgame.errors import DistillgameError

T = TypeVar("T")

PACKAGES = {"s3": "s3fs", "gs": "gcsfs"}
"""For each kind of URL, the package that reaches the store. Only kinds that can create a file exclusively are here."""

KEYS = {"InvalidAccessKeyId", "SignatureDoesNotMatch", "AccessDenied", "ExpiredToken", "InvalidToken", "403"}
"""The stores' names of errors that keys or permissions cause."""

PATIENCE = 300.0
"""Seconds for which a store that does not answer is asked again."""

LONGEST_WAIT = 20.0
"""Seconds between two attempts at most."""


class Bucket(Shelf):
    """A folder in an object store.

    Keys come from the environment, as the store's own tools find them. An operation that the network or the server
    broke is tried again for :data:`PATIENCE` seconds; one that the store refuses is not.

    Args:
        url: ``s3://bucket/folder`` or ``gs://bucket/folder``.
        patience: Seconds for which a store that does not answer is asked again.

    Raises:
        DistillgameError: If the URL is of another kind, or the package for it is missing.
    """

    def __init__(self, url: str, patience: float = PATIENCE):
        self.url = url.rstrip("/")
        self._patience = patience
        kind, _, self._root = self.url.partition("://")
        if kind not in PACKAGES or "/" not in self._root:
            raise DistillgameError(
                f"compute.store: '{url}' is not a folder in a bucket: s3://BUCKET/FOLDER or gs://BUCKET/FOLDER"
            )
        import fsspec

        try:
            # Listings change under our hands.
            self._files: Any = fsspec.filesystem(kind, use_listings_cache=False, skip_instance_cache=True)
            self._files.retries = 1  # Trying again is done here, which knows for how long.
        except ImportError as error:
            raise DistillgameError(
                f"compute.store: '{url}' needs the package '{PACKAGES[kind]}' (pip install 'distillgame[{kind}]')"
            ) from error
        except Exception as error:
            raise _in_words(error, self.url) from error

    def create(self, name: str, text: str) -> bool:
        """Write a file unless it exists."""
        try:
            self._ask(lambda: self._files.pipe_file(self._path(name), text.encode(), mode="create"))
        except FileExistsError:
            return False
        return True

    def write(self, name: str, text: str) -> None:
        """Write a file."""
        self._ask(lambda: self._files.pipe_file(self._path(name), text.encode()))

    def read(self, name: str) -> str | None:
        """Return a file's text, or None."""
        try:
            content: bytes = self._ask(lambda: self._files.cat_file(self._path(name)))
        except FileNotFoundError:
            return None
        return content.decode()

    def list(self, folder: str) -> list[str]:
        """Return the names of the files in a folder."""
        try:
            found: list[str] = self._ask(lambda: self._files.ls(self._path(folder), detail=False, refresh=True))
        except FileNotFoundError:
            return []
        return sorted(path.rpartition("/")[2] for path in found)

    def delete(self, name: str) -> None:
        """Delete a file, if it is there."""
        try:
            self._ask(lambda: self._files.rm_file(self._path(name)))
        except FileNotFoundError:
            return

    def upload(self, path: Path, name: str) -> None:
        """Copy a file of this machine here."""
        self._ask(lambda: self._files.put_file(str(path), self._path(name)))

    def download(self, name: str, path: Path) -> None:
        """Copy a file from here to this machine.

        Raises:
            FileNotFoundError: If it is not there.
        """
        self._ask(lambda: self._files.get_file(self._path(name), str(path)))

    def require_writable(self) -> None:
        """Check that a file can be created, and that a second attempt is told that there is one.

        Raises:
            DistillgameError: If the store refuses, or lets an existing file be created again.
        """
        name = f"leases/.check-{time.time_ns()}"
        with self.refusals_in_words():
            self.create(name, "")
            again = self.create(name, "")
            self.delete(name)
        if again:
            raise DistillgameError(
                f"{self.url}: this store creates a file that exists already, so two nodes could compute one stage; "
                "use one that honours If-None-Match"
            )

    @contextmanager
    def refusals_in_words(self) -> Iterator[None]:
        """Turn what the store refuses into one line that names it and says what to do."""
        try:
            yield
        except DistillgameError:
            raise
        except Exception as error:
            if not _of_store(error):
                raise
            raise _in_words(error, self.url) from error

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _ask(self, operation: Callable[[], T]) -> T:
        """Do what the store is asked for, again where the network or the server broke it."""
        deadline, pause = time.monotonic() + self._patience, 0.2
        while True:
            try:
                return operation()
            except Exception as error:
                if not _is_passing(error) or time.monotonic() + pause > deadline:
                    raise
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_WAIT)


def _code(error: BaseException) -> tuple[str, int]:
    """Return the store's own name of an error and the HTTP status, empty and 0 where the error has none."""
    seen: BaseException | None = error
    while seen is not None:
        response = getattr(seen, "response", None)
        if isinstance(response, dict) and "Error" in response:
            status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            return str(response["Error"].get("Code", "")), int(status)
        if type(seen).__name__ == "HttpError" and isinstance(status := getattr(seen, "code", None), int):  # gcsfs's.
            return "", status
        seen = seen.__cause__ or seen.__context__
    return "", 0


def _of_store(error: BaseException) -> bool:
    """Return whether an error is about the store, and not about this machine's files or our own code."""
    names = {f"{kind.__module__}.{kind.__name__}" for kind in type(error).__mro__}
    known = ("botocore.exceptions.", "aiohttp.", "gcsfs.", "google.", "fsspec.")
    return any(name.startswith(known) for name in names) or _code(error) != ("", 0)


def _is_passing(error: BaseException) -> bool:
    """Return whether trying again may help."""
    code, status = _code(error)
    if code in {"SlowDown", "RequestTimeout", "InternalError", "ServiceUnavailable", "ConditionalRequestConflict"}:
        return True
    if status:
        return status in {408, 429, 500, 502, 503, 504}
    if isinstance(error, (FileNotFoundError, FileExistsError, PermissionError)):
        return False
    names = {kind.__name__ for kind in type(error).__mro__}
    broken = {
        "HTTPClientError",
        "ConnectionError",
        "EndpointConnectionError",
        "TimeoutError",
        "ClientError",
        "IncompleteRead",
    }
    return bool(names & broken) and not names & {"NoCredentialsError", "PartialCredentialsError"}


def _in_words(error: BaseException, url: str) -> DistillgameError:
    code, status = _code(error)
    name = type(error).__name__
    said = " ".join(str(error).split())
    return DistillgameError(f"{url}: {_advice(error, name, code, status)} ({code or name}: {said:.200})")


def _advice(error: BaseException, name: str, code: str, status: int) -> str:
    if code in {"RequestTimeTooSkewed", "RequestExpired"}:
        return "this machine's clock is wrong; set it"
    if "Quota" in code or "StorageFull" in code or status == 507:
        return "the store is full; free some and start again: finished stages are kept"
    if code in KEYS or status in {401, 403} or name in {"NoCredentialsError", "PartialCredentialsError"}:
        return "check the credentials in the environment, and what they may do there"
    if isinstance(error, FileNotFoundError) or code in {"NoSuchBucket", "404"}:
        return "there is no such bucket, or something deleted a file of the run"
    if _is_passing(error):
        return "the store does not answer; start again when it does: finished stages are kept"
    return "the store refuses"
