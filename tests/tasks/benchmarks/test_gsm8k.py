import json
from pathlib import Path

import pytest

from distillgame.errors import DistillgameError
from distillgame.tasks import tasks
from distillgame.tasks.benchmarks.gsm8k import Gsm8k

ROW = {"question": "How many?", "answer": "She has 3+4=<<3+4=7>>7 eggs.\n#### 7"}


def _folder(tmp_path: Path, **files: list[dict[str, str]]) -> str:
    for name, rows in files.items():
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return str(tmp_path)


def test_it_is_registered() -> None:
    assert tasks.get("gsm8k") is Gsm8k


def test_ids_and_questions(tmp_path: Path) -> None:
    pools = Gsm8k(path=_folder(tmp_path, train=[ROW, ROW], test=[ROW])).pools()
    assert [problem.id for problem in pools["train"]] == ["gsm8k/train/0", "gsm8k/train/1"]
    assert pools["test"][0].question == "How many?"


def test_annotations_are_taken_out(tmp_path: Path) -> None:
    pools = Gsm8k(path=_folder(tmp_path, test=[ROW])).pools()
    assert pools["test"][0].solution == "She has 3+4=7 eggs.\n#### 7"


def test_grading(tmp_path: Path) -> None:
    task = Gsm8k(path=_folder(tmp_path, test=[ROW]))
    (problem,) = task.pools()["test"]
    assert task.grade("So 7 eggs.", problem).correct
    assert not task.grade("So 8 eggs.", problem).correct


def test_the_question_is_asked_as_it_is(tmp_path: Path) -> None:
    task = Gsm8k(path=_folder(tmp_path, test=[ROW]))
    assert task.messages(task.pools()["test"][0]) == [{"role": "user", "content": "How many?"}]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({**ROW, "answer": "none\nat all"}, "line 1: the solution has no answer"),
        ({**ROW, "question": " "}, "line 1: the question is empty"),
    ],
)
def test_rows_that_cannot_be_graded(tmp_path: Path, row: dict[str, str], message: str) -> None:
    with pytest.raises(DistillgameError, match=message):
        Gsm8k(path=_folder(tmp_path, train=[row])).pools()


def test_the_hub_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def load(name: str, config: str, split: str) -> list[dict[str, str]]:
        asked.append((name, config, split))
        return [ROW]

    monkeypatch.setattr("datasets.load_dataset", load)
    assert list(Gsm8k().pools()) == ["train", "test"]
    assert asked == [("openai/gsm8k", "main", "train"), ("openai/gsm8k", "main", "test")]


def test_the_published_files(data_folder: Path) -> None:
    pools = Gsm8k(path=str(data_folder / "gsm8k")).pools()
    assert {pool: len(problems) for pool, problems in pools.items()} == {"train": 7473, "test": 1319}
    assert not any("<<" in problem.solution for problems in pools.values() for problem in problems)
