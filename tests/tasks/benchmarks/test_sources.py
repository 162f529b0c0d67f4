import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from distillgame.errors import DistillgameError
from distillgame.tasks.benchmarks.sources import Columns, hub_rows, read_pools, read_rows

COLUMNS: Columns = {"question": (str,), "answer": (str,)}
ROW = {"question": "q", "answer": "a"}


def _write(path: Path, *rows: Any) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_json_lines(tmp_path: Path) -> None:
    path = _write(tmp_path / "train.jsonl", ROW, {**ROW, "more": 1})
    assert [row.values["question"] for row in read_rows(path, COLUMNS)] == ["q", "q"]


def test_parquet(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_pylist([ROW, ROW]), tmp_path / "test.parquet")
    assert len(read_pools(str(tmp_path), COLUMNS)["test"]) == 2


def test_blank_lines_and_a_byte_order_mark_are_skipped(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(ROW).encode() + b"\r\n\r\n")
    assert len(read_rows(path, COLUMNS)) == 1


def test_separators_inside_strings_do_not_end_a_line(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({**ROW, "answer": "a\u2028b"}, ensure_ascii=False), encoding="utf-8")
    assert read_rows(path, COLUMNS)[0].values["answer"] == "a\u2028b"


def test_a_folder_with_both_pools(tmp_path: Path) -> None:
    _write(tmp_path / "train.jsonl", ROW)
    _write(tmp_path / "test.jsonl", ROW, ROW)
    pools = read_pools(str(tmp_path), COLUMNS)
    assert {pool: len(rows) for pool, rows in pools.items()} == {"train": 1, "test": 2}


@pytest.mark.parametrize(("name", "pool"), [("train_socratic.jsonl", "train"), ("mine.jsonl", "test")])
def test_a_single_file_is_one_pool(tmp_path: Path, name: str, pool: str) -> None:
    assert list(read_pools(str(_write(tmp_path / name, ROW)), COLUMNS)) == [pool]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"question": "q", "answer": "a"}\n{"question": "q", "answer"\n', r"line 2 is not JSON"),
        (b"[1]\n", r"line 1 is not a JSON object"),
        (b'{"question": "q", "solution": "a"}\n', r"line 1 has no field 'answer'; found: question, solution"),
        (b'{"question": "q", "answer": 5}\n', r"line 1: field 'answer' is int, but must be str"),
        (b'{"question": "q", "answer": true}\n', r"line 1: field 'answer' is bool, but must be str"),
        (b'{"question": "q", "answer": null}\n', r"line 1: field 'answer' is NoneType, but must be str"),
        (b'{"question": "\xff", "answer": "a"}\n', r"line 1 is not UTF-8"),
        (b"[" * 100_000, r"line 1 is not JSON"),
        (b"\n\n", r"has no rows"),
        (b"", r"has no rows"),
    ],
)
def test_bad_json_lines(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "train.jsonl"
    path.write_bytes(content)
    with pytest.raises(DistillgameError, match=rf"train\.jsonl.*{message}") as caught:
        read_rows(path, COLUMNS)
    assert "\n" not in str(caught.value)


def test_a_broken_parquet_file(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"nothing")
    with pytest.raises(DistillgameError, match=r"a\.parquet: cannot be read as Parquet"):
        read_rows(tmp_path / "a.parquet", COLUMNS)


def test_a_parquet_row_without_a_column(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_pylist([{"question": "q"}]), tmp_path / "a.parquet")
    with pytest.raises(DistillgameError, match=r"a\.parquet: row 0 has no field 'answer'; found: question"):
        read_rows(tmp_path / "a.parquet", COLUMNS)


@pytest.mark.parametrize(
    ("name", "message"),
    [("none.jsonl", "no such file"), ("none.csv", "unknown kind of file"), ("", "has no train.jsonl")],
)
def test_missing_files(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(DistillgameError, match=message):
        read_pools(str(tmp_path / name), COLUMNS)


def test_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[object, ...]] = []

    def load(name: str, config: str, split: str) -> list[dict[str, str]]:
        asked.append((name, config, split))
        return [ROW]

    monkeypatch.setattr("datasets.load_dataset", load)
    assert hub_rows("some/set", "main", "train", COLUMNS)[0].values == ROW
    assert asked == [("some/set", "main", "train")]


def test_a_failing_hub_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(*_: object, **__: object) -> None:
        raise ConnectionError("Couldn't reach the hub\nand more")

    monkeypatch.setattr("datasets.load_dataset", load)
    with pytest.raises(DistillgameError, match=r"'some/set'.*Couldn't reach the hub.*'path' to a local") as caught:
        hub_rows("some/set", "main", "train", COLUMNS)
    assert "\n" not in str(caught.value)
