"""Released log-probabilities, read as columns: as objects, a trace of a thousand tokens would take megabytes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from distillgame.errors import DistillgameError

COLUMNS = ("token_ids", "token_top_ids", "token_top_logprobs")


@dataclass(frozen=True)
class ReleasedLogprobs:
    """Log-probabilities that a server exposed with a trace: of the released distribution, never of the reference.

    Attributes:
        token_ids: The sampled tokens, in the teacher's vocabulary, int32 of shape (T,).
        top_ids: The likeliest tokens at each position, likeliest first, int32 of shape (T, K); K is 0 if nothing was
            exposed.
        top_logprobs: Their log-probabilities under pi_rel, after temperature, in nats, float32 of shape (T, K).
    """

    token_ids: np.ndarray
    top_ids: np.ndarray
    top_logprobs: np.ndarray


def read_logprobs(path: Path, count: int) -> list[ReleasedLogprobs]:
    """Read the log-probabilities of the first ``count`` traces of our own trace file.

    Raises:
        DistillgameError: If the file is missing, corrupt, or lacks columns.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # Unlike read_table, a file leaves out columns that it lacks.
        with pq.ParquetFile(path) as file:
            table = file.read(list(COLUMNS)).slice(0, count)
    except (pa.ArrowException, OSError) as error:
        raise DistillgameError(f"{path}: not a readable Parquet file: {' '.join(str(error).split())}") from error
    missing = [name for name in COLUMNS if name not in table.column_names]
    if missing:
        raise DistillgameError(f"{path}: no column '{missing[0]}'; found: {', '.join(table.column_names) or 'nothing'}")
    columns = [[row for chunk in table[name].chunks for row in chunk] for name in COLUMNS]
    return [
        ReleasedLogprobs(_numbers(tokens.values, np.int32), _matrix(ids, np.int32), _matrix(logprobs, np.float32))
        for tokens, ids, logprobs in zip(*columns, strict=True)
    ]


def _matrix(rows: Any, kind: type) -> np.ndarray:
    """Return a list of equally long lists of numbers as an array; where lengths differ, as far as the shortest goes."""
    lists = rows.values
    if lists is None or len(lists) == 0:
        return np.empty((0, 0), kind)
    lengths = lists.value_lengths().to_numpy(zero_copy_only=False)
    width = int(lengths.min())
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    return _numbers(lists.flatten(), kind)[starts[:, None] + np.arange(width)]


def _numbers(values: Any, kind: type) -> np.ndarray:
    numbers: np.ndarray = values.to_numpy(zero_copy_only=False).astype(kind)
    return numbers
