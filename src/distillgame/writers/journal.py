"""The journal of a model's answers: what was answered, and perhaps paid for, is not asked again after a kill."""

import hashlib
import json
import threading
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")

_LOCK = threading.Lock()
"""Held while a journal is read or written: several may share a file."""


class Journal(Generic[T]):
    """A file with one JSON line per answer; a line that a kill cut short is dropped.

    Args:
        kind: The dataclass of the answers, whose fields are texts and numbers.
        path: The file; it need not exist. Answers are kept in memory only if None.
    """

    def __init__(self, kind: type[T], path: Path | None):
        self._kind, self._path = kind, path
        self._types = {field.name: field.type for field in fields(kind)}
        self._known: dict[str, T] = {}
        if path is None or not path.exists():
            return
        with _LOCK:
            lines = path.read_bytes().splitlines(keepends=True)
            if lines and not lines[-1].endswith(b"\n"):
                with path.open("r+b") as file:
                    file.truncate(sum(map(len, lines[:-1])))
                del lines[-1]
        for line in lines:
            self._known.update(self._entry(line))

    def __len__(self) -> int:
        return len(self._known)

    def find(self, asked: dict[str, Any]) -> T | None:
        """Return what was answered; None if nothing was.

        Args:
            asked: The request, with all that may change its answer.
        """
        return self._known.get(_key(asked))

    def add(self, asked: dict[str, Any], answer: T) -> None:
        """Write an answer down.

        Args:
            asked: The request.
            answer: The answer.
        """
        key = _key(asked)
        with _LOCK:
            self._known[key] = answer
            if self._path is not None:
                with self._path.open("ab") as file:
                    file.write(json.dumps({"asked": key, **asdict(answer)}).encode() + b"\n")

    def _entry(self, line: bytes) -> dict[str, T]:
        """Return the answer in a line by its key; nothing if the line is of another kind."""
        try:
            entry = json.loads(line)
            key, answer = entry.pop("asked"), self._kind(**entry)
        except (ValueError, TypeError, KeyError, AttributeError):
            return {}
        right = all(type(getattr(answer, name)) is kind for name, kind in self._types.items())
        return {key: answer} if right and isinstance(key, str) else {}


def _key(asked: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
