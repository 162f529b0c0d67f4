"""Rows of problems from files or the Hugging Face hub, with their columns checked."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from distillgame.errors import DistillgameError
from distillgame.tables import SUFFIXES, TableRow, check_text, find_table
from distillgame.tables import read_rows as read_table

Columns = Mapping[str, tuple[type, ...]]
"""The columns that a task needs, with the Python types that their values may have."""


def read_pools(path: str, columns: Columns, extras: Sequence[str] = ()) -> dict[str, list[TableRow]]:
    """Read a folder with ``train`` and ``test`` files or one of the two, or read a single file.

    A single file is the pool ``train`` if its name begins with that word, else ``test``.

    Args:
        path: A folder, or a file: Parquet, JSON Lines or a JSON array, compressed or not.
        columns: The required columns.
        extras: Columns that are read where a row has them.

    Raises:
        DistillgameError: If no file is found, or if a file is empty, unreadable or lacks a column.
    """
    place = Path(path)
    if place.is_dir():
        found = {pool: find_table(place, pool) for pool in ("train", "test")}
        files = {pool: file for pool, file in found.items() if file is not None}
        if not files:
            others = ", ".join(SUFFIXES)
            raise DistillgameError(f"{path}: this folder has no train.jsonl, test.jsonl or the same as {others}, .gz")
    else:
        files = {"train" if place.name.lower().startswith("train") else "test": place}
    return {pool: read_rows(file, columns, extras) for pool, file in files.items()}


def read_rows(path: Path, columns: Columns, extras: Sequence[str] = ()) -> list[TableRow]:
    """Read one file.

    Args:
        path: A file: Parquet, JSON Lines or a JSON array, compressed or not.
        columns: The required columns.
        extras: Columns that are read where a row has them.

    Raises:
        DistillgameError: If the file is missing, empty or unreadable, or if a row lacks a column.
    """
    wanted = (*columns, *extras)
    rows = [_kept(_checked(row, columns), wanted) for row in read_table(path, wanted)]
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
    rows = (TableRow(f"{name}: row {index}", dict(row), row) for index, row in enumerate(table))
    return [_checked(row, columns) for row in rows]


def _checked(row: TableRow, columns: Columns) -> TableRow:
    for name, types in columns.items():
        if name not in row.names:
            found = ", ".join(map(str, row.names)) or "nothing"
            raise DistillgameError(f"{row.place} has no field '{name}'; found: {found}")
        value = row.values[name]
        if not isinstance(value, types) or isinstance(value, bool):
            wanted = " or ".join(kind.__name__ for kind in types)
            raise DistillgameError(f"{row.place}: field '{name}' is {type(value).__name__}, but must be {wanted}")
        for text in value if isinstance(value, list) else [value]:
            check_text(text, f"{row.place}: field '{name}'")
    return row


def _kept(row: TableRow, columns: Sequence[str]) -> TableRow:
    return row._replace(values={name: row.values[name] for name in columns if name in row.values}, names=columns)
