"""Released traces from elsewhere, as a stage that students can train on."""

import hashlib
from pathlib import Path
from typing import ClassVar

from distillgame.arena.stages.base import StageContext
from distillgame.arena.stages.inputs import TRACES, TracesStage
from distillgame.errors import DistillgameError
from distillgame.records import answered_traces, read_verdicts, released_traces, write_released


class GivenStage(TracesStage):
    """A file of traces that somebody else released.

    Attributes:
        path: The file: Parquet, JSON Lines or a JSON array.
        digest: Hash of it; a file that changed is another stage.
        rows: Number of traces.
        graded: Whether it says which answers are right.
    """

    kind: ClassVar[str] = "given"

    path: str
    digest: str
    rows: int
    graded: bool

    @classmethod
    def of(cls, path: Path) -> "GivenStage":
        """Return the stage of a file.

        Raises:
            DistillgameError: If it is not there, or holds no traces.
        """
        rows = sum(1 for _ in answered_traces(path))
        graded = read_verdicts(path) is not None
        return cls(path=str(path.resolve()), digest=_digest(path), rows=rows, graded=graded)

    @property
    def label(self) -> str:
        """The file."""
        return f"read {Path(self.path).name}"

    @property
    def defense(self) -> str:
        """The file's name, which stands for whatever defended it."""
        return Path(self.path).name

    @property
    def count(self) -> int:
        """Number of traces."""
        return self.rows

    @property
    def verdicts(self) -> bool:
        """True if the file says which answers are right."""
        return self.graded

    def run(self, context: StageContext) -> None:
        """Write the part of it that an attacker sees."""
        path = Path(self.path)
        if _digest(path) != self.digest:
            raise DistillgameError(f"{path}: changed while it was being attacked; start again")
        write_released(context.out / TRACES, released_traces(path), read_verdicts(path))


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
