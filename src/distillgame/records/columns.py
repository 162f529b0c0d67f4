"""The columns of a trace file, from whatever kind of file."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from distillgame.errors import DistillgameError
from distillgame.tables import TableRow, read_rows


def table_rows(path: Path, columns: Sequence[str], optional: Sequence[str] = ()) -> Iterator[TableRow]:
    """Yield the rows of a trace file, each with the columns asked for and no others.

    Args:
        path: The file.
        columns: Columns that every row must have.
        optional: Columns that are read where a row has them.

    Raises:
        DistillgameError: If the file is missing or corrupt, or a row lacks a column.
    """
    if not path.is_file():
        raise DistillgameError(f"{path}: no such trace file")
    wanted = (*columns, *optional)
    for index, row in enumerate(read_rows(path, wanted)):
        place = f"{path}: row {index}"
        for column in columns:
            if column not in row.names:
                where = path if row.names is not row.values else place
                found = ", ".join(map(str, row.names)) or "nothing"
                raise DistillgameError(f"{where}: no column '{column}'; found: {found}")
        yield TableRow(place, {column: row.values[column] for column in wanted if column in row.values}, row.names)
