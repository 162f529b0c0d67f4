"""The judge ``labels``: what people wrote into a sheet, as one more judge."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from distillgame.errors import DistillgameError
from distillgame.judges.base import AUDITABILITY, Exhibit, Judge, Judgement, Scale, Tools, judges
from distillgame.judges.labels import read_labels


@judges.register("labels")
class LabelsJudge(Judge):
    """People who filled in a sheet that ``distillgame judge --export-labels`` wrote.

    Exhibits that are not on the sheet, or whose score is blank, have none.

    Args:
        file: The sheet, as CSV.

    Raises:
        DistillgameError: If there is no such file.
    """

    name: ClassVar[str] = "labels"

    def __init__(self, file: str):
        self._path = Path(file)
        if not self._path.is_file():
            raise DistillgameError(f"judge 'labels': file: {file}: no such file")

    @property
    def scales(self) -> Mapping[str, Scale]:
        """The one scale of a sheet."""
        return {AUDITABILITY: Scale(1, 5)}

    @property
    def material(self) -> str:
        """A hash of the sheet."""
        return hashlib.sha256(self._path.read_bytes()).hexdigest()

    def judge(self, exhibits: Sequence[Exhibit], tools: Tools) -> list[Judgement]:
        """Return what the sheet says about each exhibit.

        Raises:
            DistillgameError: If the sheet was written for other exhibits, or a row cannot be read.
        """
        return read_labels(self._path, exhibits)
