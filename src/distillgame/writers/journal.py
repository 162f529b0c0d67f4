"""The journal of an endpoint's answers: what was answered, and perhaps paid for, is not asked again after a kill."""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from distillgame.writers.base import Written


class Journal:
    """A file with one JSON line per answer; a line that a kill cut short is asked again.

    Args:
        path: The file; it need not exist.
    """

    def __init__(self, path: Path):
        self._path = path
        self._known: dict[str, Written] = {}
        whole = 0
        for line in path.read_bytes().splitlines(keepends=True) if path.exists() else []:
            try:
                entry = json.loads(line)
                key = entry.pop("asked")
                self._known[key] = Written(**entry)
            except (ValueError, TypeError, KeyError, AttributeError):
                break
            if not line.endswith(b"\n"):
                break
            whole += len(line)
        if path.exists():
            with path.open("r+b") as file:
                file.truncate(whole)

    def __len__(self) -> int:
        return len(self._known)

    def find(self, body: dict[str, Any]) -> Written | None:
        """Return what was answered to a request; None if nothing was.

        Args:
            body: The request.
        """
        return self._known.get(_key(body))

    def add(self, body: dict[str, Any], written: Written) -> None:
        """Write an answer down.

        Args:
            body: The request.
            written: The answer.
        """
        key = _key(body)
        self._known[key] = written
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"asked": key, **asdict(written)}) + "\n")


def _key(body: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
