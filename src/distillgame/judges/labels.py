"""Labels: scores that people write into a blinded sheet, as judgements like those of any other judge."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from distillgame.errors import DistillgameError
from distillgame.judges.base import AUDITABILITY, Exhibit, Judgement
from distillgame.judges.blinding import blinded

COMMENT = "comment"

TEXTS = ("question", "text")
"""Columns that are shown to the reader."""

COLUMNS = ("id", *TEXTS, AUDITABILITY, COMMENT)
"""The columns of a sheet."""

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""Beginnings by which spreadsheet programs take a text for a formula (OWASP, "CSV Injection")."""

LOW, HIGH = 1, 5


class _Row(NamedTuple):
    place: str
    cells: Mapping[str, str]


def export_labels(path: Path, exhibits: Sequence[Exhibit], seed: int = 0, overwrite: bool = False) -> None:
    """Write a sheet for one person to fill in: CSV in UTF-8, which spreadsheet programs open.

    Rows are blinded: their order is random, and their ids say nothing. A text that would be taken for a formula gets an
    apostrophe before it.

    Args:
        path: The file.
        exhibits: What is to be labelled; ids must differ.
        seed: The key of the blinding, which is needed again to read the sheet.
        overwrite: True if an existing file may be lost, with the labels in it.

    Raises:
        DistillgameError: If the file exists, or cannot be written.
    """
    sheet = io.StringIO(newline="")
    writer = csv.writer(sheet)
    writer.writerow(COLUMNS)
    for exhibit in blinded(exhibits, seed=seed).exhibits:
        writer.writerow([exhibit.id, _neutral(exhibit.question), _neutral(exhibit.text), "", ""])
    content = sheet.getvalue().encode("utf-8-sig")
    try:
        with path.open("wb" if overwrite else "xb") as file:
            file.write(content)
    except FileExistsError as error:
        raise DistillgameError(f"{path} exists, perhaps with labels in it: choose another name") from error
    except OSError as error:
        raise DistillgameError(f"{path}: cannot be written: {error.strerror}") from error


def read_labels(path: Path, exhibits: Sequence[Exhibit], seed: int = 0) -> list[Judgement]:
    """Read a sheet that somebody filled in.

    Commas, semicolons and tabs may separate its columns, and a score may have a decimal comma. Columns may stand in any
    order, and texts and comments may be missing; texts that are there must be those of the exhibits.

    Args:
        path: The file.
        exhibits: The exhibits for which it was written.
        seed: The key with which it was written.

    Returns:
        A judgement per exhibit, in their order. One without a score, or whose row is missing, has no scores. Comments
        are reasons.

    Raises:
        DistillgameError: If the file is missing, empty or not UTF-8, lacks a column, or has a row with an unknown id,
            one that came before, another text, or a score that is no number from 1 to 5.
    """
    batch = blinded(exhibits, seed=seed)
    known = {exhibit.id: exhibit for exhibit in batch.exhibits}
    found: dict[str, Judgement] = {}
    places: dict[str, str] = {}
    for row in _rows(path):
        name = row.cells["id"].strip()
        if name not in known:
            raise DistillgameError(f"{row.place}: unknown id {name!r:.40}: ids must stay as they were exported")
        if name in places:
            raise DistillgameError(f"{row.place}: id {name!r} came before, in {places[name]}: keep one of the two")
        _check_texts(row, known[name])
        places[name] = row.place.removeprefix(f"{path}: ")
        found[batch.originals[name]] = _judgement(row)
    if not found:
        raise DistillgameError(f"{path}: the sheet has no rows")
    return [found.get(exhibit.id, Judgement()) for exhibit in exhibits]


def _judgement(row: _Row) -> Judgement:
    score, comment = _score(row), row.cells.get(COMMENT, "").strip()
    return Judgement(
        scores={} if score is None else {AUDITABILITY: score}, reasons={AUDITABILITY: comment} if comment else {}
    )


def _score(row: _Row) -> float | None:
    text = row.cells[AUDITABILITY].strip()
    if not text:
        return None
    try:
        score = float(text.replace(",", "."))
    except ValueError:
        score = float("nan")
    if not LOW <= score <= HIGH:
        raise DistillgameError(
            f"{row.place}: '{AUDITABILITY}' must be a number from {LOW} to {HIGH}, or blank (found {text!r:.40})"
        )
    return score


def _check_texts(row: _Row, exhibit: Exhibit) -> None:
    """Check that the texts in a row are its exhibit's, but for blanks and an apostrophe."""
    for column, text in zip(TEXTS, (exhibit.question, exhibit.text), strict=True):
        if column in row.cells and _plain(row.cells[column]) != _plain(text):
            raise DistillgameError(
                f"{row.place}: '{column}' is not what was exported under this id: do not edit it, and read a sheet "
                "with the exhibits for which it was written"
            )


def _neutral(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA) else text


def _plain(text: str) -> str:
    return " ".join(text.removeprefix("'").split())


def _rows(path: Path) -> Iterator[_Row]:
    """Yield the rows of a sheet that are not blank.

    Raises:
        DistillgameError: If the file is missing, empty, not UTF-8 or not CSV, or lacks a column.
    """
    text = _content(path)
    first = text.strip().splitlines()[0]
    separator = max(",;\t", key=first.count)
    # A longer cell could be written, but not read again.
    csv.field_size_limit(max(csv.field_size_limit(), len(text)))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    names: list[str] = []
    line = 1
    try:
        for cells in reader:
            place, line = f"{path}: line {line}", reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if names:
                if any(cell.strip() for cell in cells[len(names) :]):
                    raise DistillgameError(
                        f"{place}: more cells than columns: quote cells that have {separator!r} in them"
                    )
                padded = [*cells, *[""] * (len(names) - len(cells))]
                yield _Row(place, dict(zip(names, padded, strict=False)))
            else:
                names = _header(place, cells)
    except csv.Error as error:
        raise DistillgameError(f"{path}: line {line}: not CSV: {error}") from error


def _header(place: str, cells: Sequence[str]) -> list[str]:
    names = [cell.strip().lower() for cell in cells]
    for column in ("id", AUDITABILITY):
        if names.count(column) != 1:
            problem = "more than one column" if column in names else "no column"
            raise DistillgameError(f"{place}: {problem} '{column}'; found: {', '.join(names)}")
    return names


def _content(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DistillgameError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DistillgameError(f"{path}: line {line} is not UTF-8: save the sheet as CSV in UTF-8") from error
    if not text.strip():
        raise DistillgameError(f"{path}: the sheet is empty")
    return text
