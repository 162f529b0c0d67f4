"""The finished measurements of a bench: killed, it goes on where it was."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from distillgame.arena.store import write_text
from distillgame.errors import DistillgameError


class Parts:
    """Finished parts of a measurement, in a file next to its results.

    A part holds only numbers that are compared with each other, so that no comparison spans an interruption.

    Args:
        path: The file; what is in it is used if it was made under the same circumstances.
        circumstances: Everything that has to be the same: machine, versions, code, plan.

    Raises:
        DistillgameError: If the file cannot be written.
    """

    def __init__(self, path: Path, circumstances: dict[str, Any]):
        self.path = path
        self.known: dict[str, Any] = {"circumstances": json.loads(json.dumps(circumstances)), "parts": {}}
        try:
            found = json.loads(path.read_text())
            if found["circumstances"] == self.known["circumstances"]:
                self.known["parts"].update(found["parts"])
        except (OSError, ValueError, KeyError, TypeError):
            pass  # there is none, or it is no use: then everything is measured
        self._save()

    def get(self, name: str, measure: Callable[[], Any]) -> Any:
        """The part called ``name``, measured unless it was before."""
        parts = self.known["parts"]
        if name not in parts:
            parts[name] = measure()
            self._save()
        return parts[name]

    def finish(self) -> None:
        """Forget everything: the next bench measures anew."""
        self.path.unlink(missing_ok=True)

    def _save(self) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_text(self.path, json.dumps(self.known) + "\n")
        except OSError as error:
            folder = self.path.parent
            raise DistillgameError(
                f"{folder}: cannot be written to ({error.strerror}); choose another folder"
            ) from error
