import pytest

from distillgame.judges.checked.arithmetic.statements import statements
from distillgame.judges.checked.steps import steps

TOLD = [
    (
        "There are 5 bags.\nHe buys 5 * 3 = 15 apples.\n#### 15",
        ["There are 5 bags.", "He buys 5 * 3 = 15 apples."],
        [0, 1],
    ),
    ("There are 5 bags. He buys 5 * 3 = 15 apples.", ["There are 5 bags. ", "He buys 5 * 3 = 15 apples."], [0, 1]),
    ("One line. With 3.5 * 2 = 7 in it.\nThe answer is 7.", ["One line. ", "With 3.5 * 2 = 7 in it."], [0, 1]),
    ("First\n\n\\[\n3 + 4 = 7\n\\]\n\\boxed{7}", ["First", "3 + 4 = 7"], [0, 1]),
    ("Add\nThe final answer is 3 + 4 = 7", ["Add", "The final answer is 3 + 4 = 7"], [0, 1]),
    ("4 dog : 4 x 4 = 16 total 16 . 1 bird . #### 18", ["4 dog : 4 x 4 = 16 total 16 .", " 1 bird ."], [1, 0]),
    ("4 dog . 1 bi", ["4 dog ."], [0]),
    ("#### 18", [], []),
    ("", [], []),
]


@pytest.mark.parametrize(("text", "told", "checkable"), TOLD)
def test_steps(text: str, told: list[str], checkable: list[int]) -> None:
    found = steps(text, statements(text))
    assert [text[step.start : step.end] for step in found] == told
    assert [step.checkable for step in found] == [bool(flag) for flag in checkable]
