import json
from pathlib import Path
from typing import Any

import pytest

from distillgame.errors import DistillgameError
from distillgame.tasks import Problem, tasks
from distillgame.tasks.benchmarks.mmlu import Mmlu

ROW: dict[str, Any] = {
    "question": "Which city is the capital of France?",
    "choices": ["Rome", "Paris", "Berlin", "Paris, Texas"],
    "answer": 1,
    "subject": "geography",
}


def _problem(tmp_path: Path, **changes: Any) -> Problem:
    (tmp_path / "test.jsonl").write_text(json.dumps({**ROW, **changes}), encoding="utf-8")
    return Mmlu(path=str(tmp_path)).pools()["test"][0]


def test_it_is_registered() -> None:
    assert tasks.get("mmlu") is Mmlu


def test_the_question_is_rendered_with_lettered_choices(tmp_path: Path) -> None:
    assert _problem(tmp_path).question == (
        "Which city is the capital of France?\n\nA. Rome\nB. Paris\nC. Berlin\nD. Paris, Texas\n\n"
        "Answer with the letter of the right choice."
    )


@pytest.mark.parametrize("answer", [1, "B", "b"])
def test_the_solution_names_the_letter(tmp_path: Path, answer: object) -> None:
    problem = _problem(tmp_path, answer=answer)
    assert problem.solution == "The answer is B."
    assert problem.metadata["subject"] == "geography"


@pytest.mark.parametrize(
    "completion",
    [
        "B",
        "(B)",
        "B.",
        "B) Paris",
        "B Paris",
        "Paris",
        "paris.",
        r"\boxed{B}",
        r"\boxed{\text{(B)}}",
        r"\boxed{\text{Paris}}",
        "The answer is B",
        "The answer is (B) Paris.",
        "The answer is **B. Paris**, not A.",
        "The answer is Paris.",
        "Answer: b",
        "Not A, since Rome is in Italy.\n\nB",
        "I guess A.\n\nThe final answer is B",
        r"\boxed{A}" + "\n\nThe final answer is B",
        "The answer is option B.",
        "The correct answer is: B. Paris",
    ],
)
def test_right_answers(tmp_path: Path, completion: str) -> None:
    assert Mmlu().grade(completion, _problem(tmp_path)).correct


@pytest.mark.parametrize(
    "completion",
    [
        "",
        "A",
        "A or B",
        "A, B",
        "B or C",
        "The answer is A.",
        "The answer is not B.",
        "The answer is B or C.",
        r"\boxed{A, B}",
        r"\boxed{}",
        "The answer is B.\n\nThe final answer is A",
        "The answer is Paris, Texas.",
        "Paris is nice.",
        "Because of that",
        "E",
    ],
)
def test_wrong_answers(tmp_path: Path, completion: str) -> None:
    assert not Mmlu().grade(completion, _problem(tmp_path)).correct


def test_a_text_that_two_choices_share_decides_nothing(tmp_path: Path) -> None:
    problem = _problem(tmp_path, choices=["Rome", "Paris", "Paris"])
    assert not Mmlu().grade("The answer is Paris.", problem).correct


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"answer": 4}, "field 'answer' is 4, but must be 0 to 3 or a letter"),
        ({"answer": -1}, "field 'answer' is -1"),
        ({"answer": "E"}, "field 'answer' is 'E'"),
        ({"answer": ""}, "field 'answer' is ''"),
        ({"choices": ["only"]}, "must be a list of 2 to 26 texts"),
        ({"choices": ["a", 5]}, "must be a list of 2 to 26 texts"),
        ({"choices": "ab"}, "field 'choices' is str, but must be list"),
    ],
)
def test_bad_rows(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DistillgameError, match=rf"test\.jsonl: line 1.*{message}"):
        _problem(tmp_path, **changes)


def test_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def load(name: str, config: str, split: str) -> list[dict[str, Any]]:
        asked.append((name, config, split))
        return [ROW]

    monkeypatch.setattr("datasets.load_dataset", load)
    assert Mmlu().pools()["test"][0].id == "mmlu/test/0"
    assert asked == [("cais/mmlu", "all", "auxiliary_train"), ("cais/mmlu", "all", "test")]
