"""A folder of small files that several machines share: what leases need of a file system or an object store."""

import os
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path


class Shelf(ABC):
    """A folder of small files; names may have folders in them."""

    @abstractmethod
    def create(self, name: str, text: str) -> bool:
        """Write a file unless it exists; return whether it was written, which one of several at once is told."""

    @abstractmethod
    def write(self, name: str, text: str) -> None:
        """Write a file."""

    @abstractmethod
    def read(self, name: str) -> str | None:
        """Return a file's text, or None if there is no such file."""

    @abstractmethod
    def list(self, folder: str) -> list[str]:
        """Return the names of the files in a folder, sorted, without the folder's."""

    @abstractmethod
    def delete(self, name: str) -> None:
        """Delete a file, if it is there."""


class Folder(Shelf):
    """A folder of a file system.

    Args:
        root: The folder, made when it is first written to.
    """

    def __init__(self, root: Path):
        self.root = root

    def create(self, name: str, text: str) -> bool:
        """Write a file unless it exists."""
        path = self.root / name
        while True:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                with path.open("x", encoding="utf-8") as file:
                    file.write(text)
            except FileExistsError:
                return False
            except FileNotFoundError:
                continue  # Its folder had become empty, and was deleted in between.
            return True

    def write(self, name: str, text: str) -> None:
        """Write a file, which appears whole."""
        path = self.root / name
        partial = path.with_name(f"{path.name}.partial")
        partial.write_text(text, encoding="utf-8")
        os.replace(partial, path)

    def read(self, name: str) -> str | None:
        """Return a file's text, or None."""
        try:
            return (self.root / name).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None

    def list(self, folder: str) -> list[str]:
        """Return the names of the files in a folder."""
        with suppress(FileNotFoundError):
            return sorted(path.name for path in (self.root / folder).iterdir() if path.suffix != ".partial")
        return []

    def delete(self, name: str) -> None:
        """Delete a file, and its folder once that is empty."""
        (self.root / name).unlink(missing_ok=True)
        with suppress(OSError):
            (self.root / name).parent.rmdir()
