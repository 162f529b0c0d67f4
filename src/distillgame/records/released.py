"""The part of a trace that an attacker sees, from any source: the conversation, and how the completion ended."""

import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from distillgame.errors import DistillgameError
from distillgame.records.columns import table_rows
from distillgame.records.conversations import conversation
from distillgame.records.endings import ending
from distillgame.records.traces import schema
from distillgame.tables import TableRow

GROUP = 1000
"""Traces that are held at once while they are written."""


@dataclass(frozen=True)
class ReleasedTrace:
    """The part of a trace that an attacker sees: the conversation, and whether the completion ended by itself."""

    messages: list[dict[str, str]]
    finish_reason: str = "stop"


def write_released(path: Path, traces: Iterable[ReleasedTrace], correct: Iterable[bool] | None = None) -> None:
    """Write only the part that an attacker sees, and, if it is known, whether each answer is right."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = ["messages", "finish_reason", *([] if correct is None else ["correct"])]
    columns = pa.schema([schema().field(name) for name in names])
    rows: Iterator[dict[str, Any]] = (vars(trace) for trace in traces)
    if correct is not None:
        rows = (row | {"correct": verdict} for row, verdict in zip(rows, correct, strict=True))
    partial = path.with_name(path.name + ".partial")
    with pq.ParquetWriter(partial, columns) as writer:
        while group := list(islice(rows, GROUP)):
            writer.write_table(pa.Table.from_pylist(group, schema=columns))
    os.replace(partial, path)


def released_traces(path: Path, correct_only: bool = False) -> Iterator[ReleasedTrace]:
    """Yield only the part that an attacker sees, one trace at a time.

    Args:
        path: A trace file from any source: Parquet, JSON Lines or a JSON array. Finish reasons may have the spellings
            of :func:`distillgame.records.ending`; where there is none, a completion counts as ended by itself.
        correct_only: Keep only traces whose final answer is right, which an attacker can check where answers are
            public.

    Raises:
        DistillgameError: If the file is missing, corrupt, or lacks columns, or a row has another form.
    """
    for row in table_rows(path, ["messages", *(["correct"] if correct_only else [])], ["finish_reason"]):
        if not correct_only or _verdict(row):
            yield ReleasedTrace(conversation(row.values["messages"], row.place), _ending(row))


def read_released(path: Path, correct_only: bool = False) -> list[ReleasedTrace]:
    """Return :func:`released_traces` in a list."""
    return list(released_traces(path, correct_only))


def answered_traces(path: Path) -> Iterator[ReleasedTrace]:
    """Yield :func:`released_traces`, each of which asks something and ends with the assistant's turn.

    Args:
        path: The file.

    Raises:
        DistillgameError: If there is none, or one of them does not.
    """
    traces = -1
    for traces, trace in enumerate(released_traces(path)):
        if len(trace.messages) < 2 or trace.messages[-1]["role"] != "assistant":
            raise DistillgameError(
                f"{path}: row {traces}: 'messages' must ask something and end with the assistant's turn"
            )
        yield trace
    if traces < 0:
        raise DistillgameError(f"{path}: holds no traces")


def read_verdicts(path: Path) -> list[bool] | None:
    """Return whether each trace's answer is right, as an attacker can tell where answers are public; else None.

    Where others have a verdict, a trace without one counts as not right: nobody has found that it is.

    Raises:
        DistillgameError: If the file is missing or corrupt, or a verdict is neither true nor false.
    """
    verdicts = [_verdict(row) for row in table_rows(path, ["messages"], ["correct"])]
    return None if all(verdict is None for verdict in verdicts) else [bool(verdict) for verdict in verdicts]


def _ending(row: TableRow) -> str:
    reason = row.values.get("finish_reason")
    known = ending(reason)
    if known is None:
        raise DistillgameError(
            f"{row.place}: 'finish_reason' must be stop or length (found {reason!r:.40}): write how the completion "
            "ended, or leave this trace out"
        )
    return known


def _verdict(row: TableRow) -> bool | None:
    """Return the verdict in a row; None for null, which some libraries write as not a number."""
    found = row.values.get("correct")
    if found is None or (isinstance(found, float) and math.isnan(found)):
        return None
    if found not in (0, 1):
        raise DistillgameError(f"{row.place}: 'correct' must be true or false, 1 or 0, or null (found {found!r:.40})")
    return bool(found)
