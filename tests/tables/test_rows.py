"""Rows of tables: every kind of file gives the same rows, and what cannot be read is named with its row."""

import bz2
import contextlib
import datetime
import gzip
import json
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from distillgame.errors import DistillgameError
from distillgame.tables import TableRow, find_table, read_rows

Write = Callable[[list[dict[str, Any]]], bytes]


def arrow(codec: str) -> Callable[[bytes], bytes]:
    def compress(data: bytes) -> bytes:
        sink = pa.BufferOutputStream()
        with pa.CompressedOutputStream(sink, codec) as stream:
            stream.write(data)
        return bytes(sink.getvalue())

    return compress


def in_two_members(data: bytes) -> bytes:
    return gzip.compress(data[: len(data) // 2]) + gzip.compress(data[len(data) // 2 :])


PACKINGS: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "members": in_two_members,
    "zstd": arrow("zstd"),
    "lz4": arrow("lz4"),
    "bz2": bz2.compress,
    "xz": lzma.compress,
}
LAYOUTS: dict[str, Write] = {
    "lines": lambda rows: b"".join(json.dumps(row).encode() + b"\n" for row in rows),
    "raw lines": lambda rows: b"\n".join(json.dumps(row, ensure_ascii=False).encode() for row in rows),
    "windows lines": lambda rows: (
        b"\xef\xbb\xbf" + b"\r\n\r\n".join(json.dumps(row, ensure_ascii=False).encode() for row in rows)
    ),
    "array": lambda rows: json.dumps(rows, ensure_ascii=False).encode(),
    "indented array": lambda rows: b"\xef\xbb\xbf\r\n " + json.dumps(rows, indent=2).replace("\n", "\r\n").encode(),
}
TEXTS = st.text(st.sampled_from('ab\u2028\u2029\x85\x0b\x0c\x1c\r\n\t\0"\\[]{},é\ufeff🐕0'), max_size=12)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS | st.just("2024-01-31T00:00:00Z"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
ROWS = st.lists(st.dictionaries(st.sampled_from(["a", "b", "odd"]), VALUES, max_size=3), min_size=1, max_size=5)


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def values(path: Path, *columns: str) -> list[dict[str, Any]]:
    return [row.values for row in read_rows(path, columns)]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS, layout=st.sampled_from(list(LAYOUTS)), packing=st.sampled_from(list(PACKINGS)))
def test_rows_come_out_as_they_went_in(tmp_path: Path, rows: list[dict[str, Any]], layout: str, packing: str) -> None:
    path = written(tmp_path / "rows.anything", PACKINGS[packing](LAYOUTS[layout](rows)))
    assert values(path, "a") == rows


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS, layout=st.sampled_from(list(LAYOUTS)), size=st.integers(1, 7))
def test_no_border_of_chunks_is_seen(tmp_path: Path, rows: list[dict[str, Any]], layout: str, size: int) -> None:
    path = written(tmp_path / "rows.json", LAYOUTS[layout](rows))
    with pytest.MonkeyPatch.context() as patch:
        # The first bytes tell the kind of file and are never cut.
        patch.setattr("distillgame.tables.content.CHUNK", size + 3)
        assert values(path, "a") == rows


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=ROWS,
    layout=st.sampled_from(list(LAYOUTS)),
    packing=st.sampled_from(list(PACKINGS)),
    place=st.floats(0, 1),
    byte=st.integers(0, 255),
)
def test_a_damaged_file_is_read_or_refused_in_words(
    tmp_path: Path, rows: list[dict[str, Any]], layout: str, packing: str, place: float, byte: int
) -> None:
    content = bytearray(PACKINGS[packing](LAYOUTS[layout](rows)))
    content[min(int(place * len(content)), len(content) - 1)] = byte
    path = written(tmp_path / "rows.jsonl", bytes(content))
    with contextlib.suppress(DistillgameError):
        values(path, "a")


@pytest.mark.parametrize("packing", [name for name in PACKINGS if name != "plain"])
def test_a_file_cut_in_the_middle_is_refused(tmp_path: Path, packing: str) -> None:
    content = PACKINGS[packing](LAYOUTS["lines"]([{"a": n} for n in range(50_000)]))
    path = written(tmp_path / "rows.jsonl.gz", content[:-30])
    with pytest.raises(DistillgameError, match=r"rows\.jsonl\.gz: cannot be read( after \d+ bytes)?: "):
        values(path, "a")


@pytest.mark.parametrize("name", ["rows.parquet", "rows.jsonl", "ROWS", "rows.bin"])
def test_parquet_whatever_its_name_in_the_columns_asked_for(tmp_path: Path, name: str) -> None:
    pq.write_table(pa.table({"a": ["x", None], "odd": [datetime.datetime(2024, 1, 1), None]}), tmp_path / name)
    rows = list(read_rows(tmp_path / name, ["a", "b"]))
    assert [row.values for row in rows] == [{"a": "x"}, {"a": None}]
    assert list(rows[1].names) == ["a", "odd"]
    assert rows[1].place.endswith(": row 1")


def test_parquet_without_any_of_the_columns_still_has_rows(tmp_path: Path) -> None:
    pq.write_table(pa.table({"b": [1, 2, 3]}), tmp_path / "a.parquet")
    assert values(tmp_path / "a.parquet", "a") == [{}, {}, {}]


def test_a_text_of_parquet_in_another_encoding_is_refused_with_its_row(tmp_path: Path) -> None:
    texts = pa.array([b"a"] * 300 + [b"caf\xe9"]).view(pa.string())
    pq.write_table(pa.table({"a": texts}), tmp_path / "a.parquet")
    with pytest.raises(DistillgameError, match=r"a\.parquet: not a readable Parquet file: row 300: 'utf-8'"):
        values(tmp_path / "a.parquet", "a")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"null\n{}\n", "line 1 is not a JSON object"),
        (b'{"a": 1}\nnull\n', "line 2 is not a JSON object"),
        (b'{"a": 1}\n\n"text"\n', "line 3 is not a JSON object"),
        ('{"a": 1}\n{"a": "é"}\n'.encode("latin-1"), "line 2 is not UTF-8: save the file as UTF-8"),
        ('[{"a": 1},\n{"a": "é"}]\n'.encode("latin-1"), "line 2 is not UTF-8: save the file as UTF-8"),
        ('{"a": 1}\n'.encode("utf-16"), "is not UTF-8 but UTF-16: save it as UTF-8"),
        (b'{\n "a": 1\n}\n', "line 1 is not JSON .*: write one object per line, or one array of objects"),
        (b'{"a": 1}{"a": 2}', "line 1 is not JSON"),
        (b'[{"a": 1},\n null]', "row 1 at line 2 is not a JSON object"),
        (b'[{"a": 1},\n {"a" 2}]', "row 1 at line 2 is not JSON"),
        (b'[{"a": 1}\n {"a": 2}]', "row 0 at line 1 must be followed by ',' or ']' .found '{'"),
        (b'[{"a": 1}, ', "row 1 at line 1 is not JSON"),
        (b'[{"a": 1}', "row 0 at line 1 must be followed by ',' or ']' .found the end of the file"),
        (b'[{"a": 1}]\n[]', "line 2: nothing may follow the array"),
        (b"[]", "the file has no rows"),
        (b" \n", "the file has no rows"),
        (b"", "not a readable JSON Lines file: the file has no rows"),
        (b"PK\x03\x04....", "is a ZIP archive: unpack it"),
        (b"PAR1....", "not a readable Parquet file"),
        (gzip.compress(b"PAR1....", mtime=0), "compressed as a whole: decompress it"),
        (b'{"a": ' + b"9" * 5000 + b"}", "line 1 is not JSON"),
    ],
)
def test_what_cannot_be_read_is_one_line_with_file_and_row(tmp_path: Path, content: bytes, message: str) -> None:
    path = written(tmp_path / "rows.json", content)
    with pytest.raises(DistillgameError, match=rf"rows\.json: .*{message}") as caught:
        values(path, "a")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "message"), [("none.jsonl", "no such file"), ("", "no such file"), ("sheet.csv", "unknown kind of file")]
)
def test_files_that_are_no_tables(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "sheet.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DistillgameError, match=message):
        list[TableRow](read_rows(tmp_path / name, ["a"]))


def test_rows_are_read_one_at_a_time(tmp_path: Path) -> None:
    """The second half of either file is broken, which nobody sees who reads only the first row."""
    more = b'{"a": 1}\n' * 100_000
    for content in (more + b"broken", b"[" + more.replace(b"\n", b",") + b"broken"):
        rows = iter(read_rows(written(tmp_path / "rows.json", content), ["a"]))
        assert next(rows).values == {"a": 1}
        with pytest.raises(DistillgameError, match="not JSON"):
            list(rows)


@pytest.mark.parametrize(
    "name",
    ["train.jsonl", "Train.JSONL", "train.ndjson", "train.json", "train.jsonl.gz", "train.json.zst", "train.parquet"],
)
def test_a_table_is_found_by_its_stem(tmp_path: Path, name: str) -> None:
    (tmp_path / "training.jsonl").write_text("")
    (tmp_path / "train.txt").write_text("")
    assert find_table(tmp_path, "train") is None
    (tmp_path / name).write_text("")
    assert find_table(tmp_path, "train") == tmp_path / name
