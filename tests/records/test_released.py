"""Released traces from any source: the same traces in every kind of file, and one line for what is none."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from distillgame.errors import DistillgameError
from distillgame.records import ReleasedTrace, read_released, read_verdicts, released_traces, write_released

TEXT = "four\u2028dogs,\x85 sixteen\u2029legs 🐕"
DATE = "2024-01-31"


def row(answer: Any = TEXT, **changes: Any) -> dict[str, Any]:
    turns = [{"role": "user", "content": DATE}, {"role": "assistant", "content": answer}]
    return {"messages": turns} | changes


def plain(answer: str = TEXT, finish_reason: str = "stop") -> ReleasedTrace:
    turns = [{"role": "user", "content": DATE}, {"role": "assistant", "content": answer}]
    return ReleasedTrace(turns, finish_reason)


def lines(path: Path, *rows: Any) -> Path:
    path.write_text("".join(json.dumps(found, ensure_ascii=False) + "\n" for found in rows), encoding="utf-8")
    return path


def zstd(data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return bytes(sink.getvalue())


ODD = [
    row(finish_reason="end_turn", correct=1, id=7, metadata={"a": [None, 1, "x"]}),
    row("cut", finish_reason="MAX_TOKENS", correct=None, id="seven", metadata=None, more=[None, {"b": 1}]),
    row(finish_reason=None, correct=0.0, metadata="text", more=3.5),
]
"""Columns that nobody needs, of mixed types."""

WRITERS: dict[str, Callable[[bytes], bytes]] = {
    "t.jsonl": bytes,
    "t.JSONL": bytes,
    "t.ndjson": bytes,
    "t.json": lambda data: b"[" + data.strip().replace(b"\n", b",") + b"]",
    "t.jsonl.gz": gzip.compress,
    "t.jsonl.zst": zstd,
    "t": lambda data: b"\xef\xbb\xbf" + data,
}


@pytest.mark.parametrize("name", WRITERS)
def test_the_same_traces_from_every_kind_of_file(tmp_path: Path, name: str) -> None:
    path = lines(tmp_path / name, *ODD)
    path.write_bytes(WRITERS[name](path.read_bytes()))
    assert read_released(path) == [plain(), plain("cut", "length"), plain()]
    assert read_released(path, correct_only=True) == [plain()]
    assert read_verdicts(path) == [True, False, False]


def test_parquet_with_content_in_parts_and_verdicts_as_numbers(tmp_path: Path) -> None:
    parts = [{"type": "text", "text": "four "}, {"type": "text", "text": "dogs"}]
    turns = [{"role": "user", "content": [{"type": "text", "text": "?"}]}, {"role": "assistant", "content": parts}]
    table = pa.table({"messages": [turns] * 3, "correct": [1.0, None, float("nan")]})
    pq.write_table(table, tmp_path / "t.bin")
    assert [trace.messages[-1]["content"] for trace in released_traces(tmp_path / "t.bin")] == ["four dogs"] * 3
    assert read_verdicts(tmp_path / "t.bin") == [True, False, False]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (["four ", "dogs"], "four dogs"),
        ([{"type": "text", "text": "four "}, {"type": "output_text", "text": "dogs", "annotations": []}], "four dogs"),
        ([{"type": "text", "text": "four dogs", "cache_control": {"type": "ephemeral"}}], "four dogs"),
        ([], ""),
    ],
)
def test_content_may_come_in_parts(tmp_path: Path, content: Any, text: str) -> None:
    assert read_released(lines(tmp_path / "t.jsonl", row(content))) == [plain(text)]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([None], "line 1 is not a JSON object"),
        ([row(), None], "line 2 is not a JSON object"),
        ([{"messages": None}], "row 0: 'messages' must list"),
        ([row(), {"messages": [None, {"role": "user", "content": "x"}]}], "row 1: 'messages' must list .*found None"),
        ([row(), {"text": "x"}], "row 1: no column 'messages'; found: text"),
        ([row(), row([None])], "row 1: 'content' must be a text or a list of text parts"),
        ([row([{"type": "image_url", "image_url": {}}])], "row 0: 'content' must be .*found type 'image_url'"),
        ([row([{"type": "thinking", "thinking": "?"}])], "row 0: 'content' must be .*found type 'thinking'"),
        ([row(), row(finish_reason="content_filter")], "row 1: 'finish_reason' must be .*found 'content_filter'"),
        ([row(finish_reason=["stop"])], "row 0: 'finish_reason' must be stop or length"),
    ],
)
def test_traces_of_another_shape_are_refused_with_their_row(tmp_path: Path, rows: list[Any], message: str) -> None:
    with pytest.raises(DistillgameError, match=rf"t\.jsonl: .*{message}") as caught:
        read_released(lines(tmp_path / "t.jsonl", *rows))
    assert "\n" not in str(caught.value)


def test_half_a_surrogate_pair_is_refused_before_arrow_sees_it(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text(json.dumps(row()) + "\n" + json.dumps(row("cut \ud83d")) + "\n")
    with pytest.raises(DistillgameError, match=r"row 1: 'content' has half a surrogate pair"):
        read_released(tmp_path / "t.jsonl")


def test_latin_1_is_refused_with_its_line(tmp_path: Path) -> None:
    path = lines(tmp_path / "t.jsonl", row("a"), row("café"))
    path.write_bytes(path.read_text(encoding="utf-8").encode("latin-1"))
    with pytest.raises(DistillgameError, match=r"t\.jsonl: line 2 is not UTF-8: save the file as UTF-8"):
        read_released(path)


@pytest.mark.parametrize(
    ("verdicts", "found"),
    [
        ([True, 1, 1.0, False, 0, 0.0], [True, True, True, False, False, False]),
        ([None, True], [False, True]),
        ([None, None], None),
    ],
)
def test_verdicts_in_their_spellings(tmp_path: Path, verdicts: list[Any], found: list[bool] | None) -> None:
    assert read_verdicts(lines(tmp_path / "t.jsonl", *(row(correct=value) for value in verdicts))) == found


@pytest.mark.parametrize("verdict", ["yes", 2, 0.5, [], {}])
def test_other_verdicts_are_refused_with_their_row(tmp_path: Path, verdict: Any) -> None:
    with pytest.raises(DistillgameError, match=r"row 1: 'correct' must be true or false, 1 or 0, or null"):
        read_verdicts(lines(tmp_path / "t.jsonl", row(correct=True), row(correct=verdict)))


def test_what_was_read_can_be_written_one_trace_at_a_time(tmp_path: Path) -> None:
    path = lines(tmp_path / "t.jsonl", *(row(str(n), correct=n % 2) for n in range(2500)))
    write_released(tmp_path / "t.parquet", released_traces(path), read_verdicts(path))
    assert read_released(tmp_path / "t.parquet") == read_released(path)
    assert read_verdicts(tmp_path / "t.parquet") == read_verdicts(path)
    assert pq.ParquetFile(tmp_path / "t.parquet").num_row_groups == 3
