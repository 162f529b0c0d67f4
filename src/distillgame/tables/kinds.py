"""The kinds of file, told by their first bytes; names only say where to look."""

from pathlib import Path

from distillgame.errors import DistillgameError

PARQUET = b"PAR1"

COMPRESSIONS = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"BZh": "bz2",
    b"\x04\x22\x4d\x18": "lz4",
    b"\xfd7zXZ\x00": "xz",
}
"""Compressions by the first bytes of what they write."""

OTHERS = {
    b"PK\x03\x04": "is a ZIP archive: unpack it",
    b"ARROW1": "is an Arrow file: save it as Parquet",
    b"PARE": "is an encrypted Parquet file: decrypt it",
    b"\xff\xfe": "is not UTF-8 but UTF-16: save it as UTF-8",
    b"\xfe\xff": "is not UTF-8 but UTF-16: save it as UTF-8",
}
"""What cannot be read, by its first bytes, with what to do."""

SUFFIXES = (".parquet", ".jsonl", ".ndjson", ".json")
"""Endings by which tables are found in a folder, the preferred first."""

PACKED = ("", ".gz", ".zst", ".bz2", ".lz4", ".xz")
"""Endings that may follow them."""

_SHEETS = (".csv", ".tsv", ".xls", ".xlsx")
_LONGEST = max(map(len, [PARQUET, *COMPRESSIONS, *OTHERS]))


def file_kind(path: Path) -> str:
    """Return ``parquet``, the name of a compression, or ``plain``.

    Raises:
        DistillgameError: If there is no such file, or it is of a kind that cannot be read.
        OSError: If it cannot be opened.
    """
    if not path.is_file():
        refuse_sheets(path)
        raise DistillgameError(f"{path}: no such file")
    with path.open("rb") as file:
        start = file.read(_LONGEST)
    if start.startswith(PARQUET):
        return "parquet"
    refuse_others(path, start)
    return next((name for magic, name in COMPRESSIONS.items() if start.startswith(magic)), "plain")


def refuse_others(path: Path, start: bytes) -> None:
    """Refuse content that begins like a kind of file that cannot be read.

    Raises:
        DistillgameError: If it does.
    """
    for magic, reason in OTHERS.items():
        if start.startswith(magic):
            raise DistillgameError(f"{path}: {reason}")


def refuse_sheets(path: Path) -> None:
    """Refuse a spreadsheet by its name, for one has no magic bytes.

    Raises:
        DistillgameError: If it is named like one.
    """
    if path.suffix.lower() in _SHEETS:
        raise DistillgameError(f"{path}: unknown kind of file: give JSON Lines, a JSON array or Parquet")


def find_table(folder: Path, stem: str) -> Path | None:
    """Return the file called ``stem`` in a folder, with any known ending in any case; None if there is none."""
    files = {path.name.lower(): path for path in sorted(folder.iterdir()) if path.is_file()}
    names = (f"{stem}{suffix}{packed}" for packed in PACKED for suffix in SUFFIXES)
    return next((files[name] for name in names if name in files), None)
