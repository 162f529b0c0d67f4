from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from distillgame.errors import DistillgameError
from distillgame.records import read_logprobs, write_traces
from tests.records.test_traces import MEASURED

IDS = [[5, 1], [6, 2], [7, 3]]
LOGPROBS = [[-0.5, -1.0], [-0.25, -2.0], [-0.125, -3.0]]


def test_columns_are_read_as_arrays(tmp_path: Path) -> None:
    exposing = replace(MEASURED, token_top_ids=IDS, token_top_logprobs=LOGPROBS)
    wider = [[*row, 9] for row in IDS]
    other = replace(MEASURED, token_top_ids=wider, token_top_logprobs=[[*row, -9.0] for row in LOGPROBS])
    write_traces(tmp_path / "t.parquet", [exposing, other, MEASURED])
    first, second, none = read_logprobs(tmp_path / "t.parquet", 5)
    assert first.token_ids.tolist() == MEASURED.token_ids
    assert (first.top_ids.tolist(), first.top_logprobs.tolist()) == (IDS, LOGPROBS)
    assert second.top_ids.tolist() == wider
    assert none.top_ids.shape == (0, 0)
    assert len(read_logprobs(tmp_path / "t.parquet", 1)) == 1


def test_a_ragged_trace_goes_as_far_as_its_shortest_position(tmp_path: Path) -> None:
    ragged = replace(
        MEASURED, token_top_ids=[[5, 1, 4], [6, 2], [7, 3]], token_top_logprobs=[[-1.0] * 3, *LOGPROBS[1:]]
    )
    write_traces(tmp_path / "t.parquet", [MEASURED, ragged])
    _, found = read_logprobs(tmp_path / "t.parquet", 2)
    assert found.top_ids.tolist() == IDS
    assert found.top_logprobs.tolist() == [[-1.0, -1.0], *LOGPROBS[1:]]


def test_a_thousand_tokens_take_eight_bytes_for_each_of_twenty(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    ids = rng.integers(50_000, size=(1000, 20)).tolist()
    trace = replace(
        MEASURED, token_ids=[5] * 1000, token_top_ids=ids, token_top_logprobs=rng.random((1000, 20)).tolist()
    )
    write_traces(tmp_path / "t.parquet", [trace])
    (found,) = read_logprobs(tmp_path / "t.parquet", 1)
    assert found.top_ids.dtype == np.int32
    assert found.top_logprobs.dtype == np.float32
    assert sum(each.nbytes for each in vars(found).values()) == 4 * 1000 + 8 * 20 * 1000


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    with pytest.raises(DistillgameError, match="not a readable Parquet file"):
        read_logprobs(path, 1)
    pq.write_table(pa.table({"messages": ["a"]}), path)
    with pytest.raises(DistillgameError, match="no column 'token_ids'"):
        read_logprobs(path, 1)
