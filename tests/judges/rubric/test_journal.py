"""The journal: what is found again after a kill, and what is not."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from distillgame.judges.rubric.answers import Answer
from distillgame.judges.rubric.journal import Journal


def test_answers_are_found_again_by_their_call(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    Journal(path).add({"seed": 1, "model": "m"}, Answer("é", "stop", 3, 4))
    again = Journal(path)
    assert again.find({"model": "m", "seed": 1}) == Answer("é", "stop", 3, 4)
    assert again.find({"model": "m", "seed": 2}) is None


def test_a_line_cut_short_is_dropped_and_the_next_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    for seed in range(3):
        Journal(path).add({"seed": seed}, Answer("a", "stop"))
    path.write_bytes(path.read_bytes()[:-5])
    Journal(path).add({"seed": 3}, Answer("b", "stop"))
    again = Journal(path)
    assert len(again) == 3
    assert again.find({"seed": 2}) is None
    assert again.find({"seed": 3}) == Answer("b", "stop")


def test_lines_of_another_kind_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    others = '{"asked": "x", "text": "t", "finish_reason": "stop"}\n[1]\n{"asked": "y", "text": 3, "ending": "stop"}\n'
    path.write_text(others)
    journal = Journal(path)
    journal.add({"seed": 0}, Answer("a", "stop"))
    assert len(journal) == len(Journal(path)) == 1
    assert path.read_text().startswith(others)


def test_threads_share_a_file(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with ThreadPoolExecutor(8) as threads:
        for made in [threads.submit(Journal(path).add, {"seed": i}, Answer("a" * 9000, "stop")) for i in range(64)]:
            made.result()
    assert len(Journal(path)) == 64


def test_without_a_file_answers_are_kept_in_memory() -> None:
    journal = Journal(None)
    journal.add({"seed": 0}, Answer("a", "stop"))
    assert journal.find({"seed": 0}) == Answer("a", "stop")
