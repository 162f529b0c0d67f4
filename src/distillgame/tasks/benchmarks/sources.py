"""Rows of problems from JSON Lines, Parquet or the Hugging Face hub, with their columns checked."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from distillgame.errors import DistillgameError

SUFFIXES = (".jsonl", ".parquet")

Columns = Mapping[str, tuple[type, ...]]
"""The columns that a task needs, with the Python types that their values may have."""


class TableRow(NamedTuple):
    """One row of a table.

    Attributes:
        place: Its position, for messages: ``"train.jsonl: line 3"``.
        values: Values by column name, with at least the required columns.
    """

    place: str
    values: dict[str, Any]


def read_pools(path: str, columns: Columns) -> dict[str, list[TableRow]]:
    """Read a folder with ``train`` and ``test`` files or one of the two, or read a single file.

    A single file is the pool ``train`` if its name begins with that word, else ``test``.

    Args:
        path: A folder, or a file that ends in ``.jsonl`` or ``.parquet``.
        columns: The required columns.

    Raises:
        DistillgameError: If no file is found, or if a file is empty, unreadable or lacks a column.
    """
    place = Path(path)
    if place.is_dir():
        files = {
            pool: file
            for pool in ("train", "test")
            for suffix in SUFFIXES
            if (file := place / f"{pool}{suffix}").is_file()
        }
        if not files:
            raise DistillgameError(f"{path}: this folder has no train.jsonl, test.jsonl or the same as .parquet")
    else:
        files = {"train" if place.name.startswith("train") else "test": place}
    return {pool: read_rows(file, columns) for pool, file in files.items()}


def read_rows(path: Path, columns: Columns) -> list[TableRow]:
    """Read one file.

    Args:
        path: A file that ends in ``.jsonl`` or ``.parquet``.
        columns: The required columns.

    Raises:
        DistillgameError: If the file is missing, empty or unreadable, or if a row lacks a column.
    """
    if path.suffix not in SUFFIXES:
        raise DistillgameError(f"{path}: unknown kind of file: give one that ends in {' or '.join(SUFFIXES)}")
    if not path.is_file():
        raise DistillgameError(f"{path}: there is no such file")
    rows = [_checked(row, columns) for row in (_json_lines(path) if path.suffix == ".jsonl" else _parquet(path))]
    if not rows:
        raise DistillgameError(f"{path}: the file has no rows")
    return rows


def hub_rows(name: str, config: str, split: str, columns: Columns) -> list[TableRow]:
    """Load one split of a data set from the Hugging Face hub.

    Args:
        name: The data set, ``"openai/gsm8k"``.
        config: Its configuration.
        split: The published split's name.
        columns: The required columns.

    Raises:
        DistillgameError: If it cannot be loaded, or if a row lacks a column.
    """
    import datasets

    try:
        table = datasets.load_dataset(name, config, split=split)
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise DistillgameError(
            f"data set '{name}' ({config}, {split}) cannot be loaded from the hub ({reason}): "
            "check the network, or set the task's option 'path' to a local folder or file"
        ) from error
    return [_checked(TableRow(f"{name}: row {index}", dict(row)), columns) for index, row in enumerate(table)]


def _json_lines(path: Path) -> Iterator[TableRow]:
    try:
        lines = path.read_bytes().removeprefix(b"\xef\xbb\xbf").split(b"\n")
    except OSError as error:
        raise DistillgameError(f"{path}: cannot be read: {error.strerror}") from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        place = f"{path}: line {number}"
        try:
            values = json.loads(line)
        except UnicodeDecodeError as error:
            raise DistillgameError(f"{place} is not UTF-8: save the file as UTF-8") from error
        except (ValueError, RecursionError) as error:
            raise DistillgameError(f"{place} is not JSON ({error}): write one object per line") from error
        if not isinstance(values, dict):
            raise DistillgameError(f"{place} is not a JSON object: write one object per line")
        yield TableRow(place, values)


def _parquet(path: Path) -> Iterator[TableRow]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path).to_pylist()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DistillgameError(f"{path}: cannot be read as Parquet: {str(error).splitlines()[0]}") from error
    for index, values in enumerate(table):
        yield TableRow(f"{path}: row {index}", values)


def _checked(row: TableRow, columns: Columns) -> TableRow:
    for name, types in columns.items():
        if name not in row.values:
            found = ", ".join(map(str, row.values)) or "nothing"
            raise DistillgameError(f"{row.place} has no field '{name}'; found: {found}")
        value = row.values[name]
        if not isinstance(value, types) or isinstance(value, bool):
            wanted = " or ".join(kind.__name__ for kind in types)
            raise DistillgameError(f"{row.place}: field '{name}' is {type(value).__name__}, but must be {wanted}")
    return row
