"""The bytes of a text file, decompressed and in chunks, so that no file has to fit in memory."""

import bz2
import lzma
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from distillgame.errors import DistillgameError
from distillgame.tables.kinds import PARQUET, file_kind, refuse_others

CHUNK = 1 << 16
"""Bytes that are read at once."""

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def read_chunks(path: Path) -> Iterator[bytes]:
    """Yield the content of a file, decompressed and without a byte-order mark.

    Raises:
        DistillgameError: If there is no such file, or it is no text; or, with the number of bytes before, if it is
            damaged.
    """
    done = 0
    try:
        with _open(path, file_kind(path)) as stream:
            start = stream.read(CHUNK)
            if start.startswith(PARQUET):
                raise DistillgameError(f"{path}: is a Parquet file that was compressed as a whole: decompress it")
            refuse_others(path, start)
            chunk = start.removeprefix(BYTE_ORDER_MARK)
            while start:
                done += len(start)
                yield chunk
                start = chunk = stream.read(CHUNK)
    except (OSError, EOFError, lzma.LZMAError) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        where = f" after {done} bytes" if done else ""
        raise DistillgameError(f"{path}: cannot be read{where}: {reason}") from error


def _open(path: Path, kind: str) -> Any:
    if kind == "plain":
        return path.open("rb")
    if kind == "bz2":
        return bz2.open(path)
    if kind == "xz":
        return lzma.open(path)
    import pyarrow as pa

    return pa.input_stream(str(path), compression=kind)
