import pytest

from distillgame.tasks.grading.prose import last_number

FOUND = [
    ("She has 12 apples and 1,250 pears", "1,250"),
    ("it ends at −3", "-3"),
    ("so x = - 3", "- 3"),
    ("a loss of -€5.50 in all", "-€5.50"),
    ("it costs 3 million dollars", "3 million"),
    ("it leaves at 4:30 PM", "4:30 PM"),
    ("the items:\n- 42 apples", "42"),
    ("so 20 percent of them", "20 percent"),
    ("P = 3/4, so it is 3/4.", "3/4"),
]
NONE = [
    "nothing", "x5", "1e51e5",
    "not 5", "it isn't 5", "4 or 5", "10 - 3", "10 minus 3", "10 times 3", r"4\sqrt{3}", r"\pm 5", "5x",
    "5 + x", r"5 \pi", "1.2.3", "1,2,3", "the point (3, 4)", "x^2", "x ≤ 5", "2 and 1/2 cups", "x²",
]  # fmt: skip


@pytest.mark.parametrize(("text", "number"), FOUND)
def test_the_last_number_is_found_as_a_whole(text: str, number: str) -> None:
    assert last_number(text) == number


@pytest.mark.parametrize("text", NONE)
def test_a_part_of_something_else_is_no_answer(text: str) -> None:
    assert last_number(text) is None
