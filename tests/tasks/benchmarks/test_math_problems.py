import json
from pathlib import Path

import pytest

from distillgame.tasks import split, tasks
from distillgame.tasks.benchmarks.math_problems import SUBJECTS, Math

ROW = {"problem": "What is $1+1$?", "solution": r"It is $\boxed{2}$.", "level": "Level 1", "type": "Algebra"}


def test_it_is_registered() -> None:
    assert tasks.get("math") is Math


def test_a_folder_with_a_test_file_only(tmp_path: Path) -> None:
    (tmp_path / "test.jsonl").write_text(json.dumps(ROW), encoding="utf-8")
    pools = Math(path=str(tmp_path)).pools()
    assert list(pools) == ["test"]
    assert pools["test"][0].id == "math/test/0"
    assert pools["test"][0].metadata == {"level": "Level 1", "type": "Algebra"}


def test_the_hub_is_asked_for_every_subject(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(name: str, config: str, split: str) -> list[dict[str, str]]:
        assert name == "EleutherAI/hendrycks_math"
        return [{**ROW, "type": config}]

    monkeypatch.setattr("datasets.load_dataset", load)
    pools = Math().pools()
    assert [problem.metadata["type"] for problem in pools["test"]] == list(SUBJECTS)
    assert [problem.id for problem in pools["train"]] == [f"math/train/{index}" for index in range(7)]


def test_the_published_file_is_shuffled_by_splitting(data_folder: Path) -> None:
    drawn = split(Math(path=str(data_folder / "math")), {"train": 500, "test": 500})
    assert len({problem.metadata["type"] for problem in drawn["test"]}) == len(SUBJECTS)
    assert len({problem.id for problems in drawn.values() for problem in problems}) == 1000
