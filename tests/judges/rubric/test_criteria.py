"""The rubric: what ships, and what is refused in words."""

from pathlib import Path

import pytest
import yaml

from distillgame.errors import DistillgameError
from distillgame.judges import AUDITABILITY, Scale
from distillgame.judges.rubric import read_rubric

GOOD = {"asks": "Is it clear?", "levels": {1: "No.", 2: "Yes."}}
FIVE = {"asks": "Can it be followed?", "levels": {i: f"Level {i}." for i in range(1, 6)}}


def test_the_shipped_rubric_has_auditability_and_five_atomic_criteria() -> None:
    rubric = read_rubric()
    assert list(rubric) == [
        AUDITABILITY, "distinct_steps", "relevant_steps", "checkable_steps", "answer_follows", "clean_text"
    ]  # fmt: skip
    assert rubric[AUDITABILITY].scale == Scale(1, 5)
    assert {rubric[name].scale for name in rubric if name != AUDITABILITY} == {Scale(1, 3)}


def test_criteria_are_selected_in_the_order_of_the_rubric() -> None:
    assert list(read_rubric(criteria=["clean_text", AUDITABILITY])) == [AUDITABILITY, "clean_text"]
    with pytest.raises(DistillgameError, match=r"unknown 'clarity': choose among auditability, distinct_steps"):
        read_rubric(criteria=["clarity"])
    with pytest.raises(DistillgameError, match="'auditability' is among those of every judge: add it"):
        read_rubric(criteria=["clean_text"])


@pytest.mark.parametrize(
    ("rubric", "message"),
    [
        ({"x": GOOD}, "'auditability' with levels 1 to 5 is missing"),
        ({AUDITABILITY: GOOD}, "'auditability' with levels 1 to 5 is missing"),
        ({AUDITABILITY: FIVE, "Not Good": GOOD}, "Not Good: a criterion's name has small letters"),
        ({AUDITABILITY: FIVE, "x": "clear?"}, "x: a criterion is a mapping"),
        ({AUDITABILITY: FIVE, "x": {"asks": "?"}}, "x: 'levels' is missing"),
        ({AUDITABILITY: FIVE, "x": GOOD | {"weight": 3}}, "x: unknown key 'weight'"),
        ({AUDITABILITY: FIVE, "x": GOOD | {"asks": " "}}, "x: 'asks': a question is expected"),
        ({AUDITABILITY: FIVE, "x": GOOD | {"levels": {1: "a"}}}, "x: 'levels': at least two levels"),
        (
            {AUDITABILITY: FIVE, "x": GOOD | {"levels": {1: "a", 3: "b"}}},
            r"numbered from 1 without gaps \(found \[1, 3",
        ),
        ({AUDITABILITY: FIVE, "x": GOOD | {"levels": {1: "a", 2: " "}}}, "level 2 is not described"),
    ],
)
def test_bad_rubrics_are_named(tmp_path: Path, rubric: object, message: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(rubric))
    with pytest.raises(DistillgameError, match=message) as caught:
        read_rubric(path)
    assert str(caught.value).startswith(f"judge 'rubric': {path}: ")


def test_a_rubric_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DistillgameError, match=r"none\.yaml: no such file"):
        read_rubric(tmp_path / "none.yaml")
