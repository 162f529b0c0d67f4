"""Rows of tables, one at a time, in the columns that are needed.

Values are Python's, as the file has them: nothing is inferred from other rows, so a column of mixed types or one that
nobody asked for cannot spoil the rest.
"""

import json
from collections.abc import Collection, Iterator, Sequence
from itertools import chain, repeat
from pathlib import Path
from typing import Any, NamedTuple

from distillgame.errors import DistillgameError
from distillgame.tables.arrays import read_elements
from distillgame.tables.content import read_chunks
from distillgame.tables.kinds import file_kind, refuse_sheets
from distillgame.tables.lines import split_lines

ROWS = 256
"""Rows of Parquet that are held at once."""


class TableRow(NamedTuple):
    """One row of a table.

    Attributes:
        place: Its position, for messages: ``"train.jsonl: line 3"``, ``"train.parquet: row 2"``; rows count from 0.
        values: Values by column name, with at least the columns asked for that the row has.
        names: The names of all its columns.
    """

    place: str
    values: dict[str, Any]
    names: Collection[str]


def read_rows(path: Path, columns: Sequence[str]) -> Iterator[TableRow]:
    """Yield the rows of a table: Parquet, JSON Lines or a JSON array, compressed or not, whatever its name.

    Args:
        path: The file.
        columns: The columns that are needed; others need not be readable.

    Raises:
        DistillgameError: If the file is missing, damaged or of another kind, or has text but no rows; the message names
            the row where there is one.
    """
    try:
        kind = file_kind(path)
    except OSError as error:
        raise DistillgameError(f"{path}: cannot be read: {error.strerror}") from error
    if kind == "parquet":
        return _parquet(path, columns)
    refuse_sheets(path)
    return _json(path)


def check_text(value: Any, where: str) -> None:
    """Check that a value, if it is a text, can be encoded.

    Raises:
        DistillgameError: If it has half a surrogate pair, which JSON can write but no encoding has.
    """
    if isinstance(value, str) and not value.isascii():
        try:
            value.encode("utf-8")
        except UnicodeEncodeError as error:
            found = ascii(value[error.start])
            raise DistillgameError(f"{where} has half a surrogate pair, which is no text (found {found})") from error


def _json(path: Path) -> Iterator[TableRow]:
    chunks = read_chunks(path)
    start = b""
    for chunk in chunks:
        start += chunk
        if start.strip():
            break
    else:
        raise DistillgameError(f"{path}: not a readable JSON Lines file: the file has no rows")
    content = chain([start], chunks)
    elements = read_elements(path, content) if start.lstrip().startswith(b"[") else _parsed_lines(path, content)
    found = False
    for place, value in elements:
        if not isinstance(value, dict):
            raise DistillgameError(f"{place} is not a JSON object: write one object per line or one array of objects")
        found = True
        yield TableRow(place, value, value)
    if not found:
        raise DistillgameError(f"{path}: the file has no rows")


def _parsed_lines(path: Path, chunks: Iterator[bytes]) -> Iterator[tuple[str, Any]]:
    named = path.suffix.lower() == ".parquet"
    kind = "cannot be read as Parquet or JSON Lines" if named else "not a readable JSON Lines file"
    for place, line in split_lines(path, chunks):
        try:
            yield place, json.loads(line)
        except (ValueError, RecursionError) as error:
            reason = f"{error.msg}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else str(error)
            number = place.removeprefix(f"{path}: ")
            raise DistillgameError(
                f"{path}: {kind}: {number} is not JSON ({reason}): write one object per line, or one array of objects"
            ) from error


def _parquet(path: Path, columns: Sequence[str]) -> Iterator[TableRow]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    index = 0
    try:
        with pq.ParquetFile(path) as file:
            names = file.schema_arrow.names
            wanted = [column for column in columns if column in names]
            for batch in file.iter_batches(ROWS, columns=wanted):
                for values in _values(batch) if wanted else repeat({}, batch.num_rows):
                    yield TableRow(f"{path}: row {index}", values, names)
                    index += 1
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        reason = " ".join(str(error).split())
        raise DistillgameError(f"{path}: not a readable Parquet file: row {index}: {reason}") from error


def _values(batch: Any) -> Iterator[dict[str, Any]]:
    try:
        yield from batch.to_pylist()
    except (ValueError, OverflowError):
        # One by one, so that the error is that of the row that cannot be read.
        for place in range(batch.num_rows):
            yield from batch.slice(place, 1).to_pylist()
