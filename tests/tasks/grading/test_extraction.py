import pytest

from distillgame.tasks.grading.extraction import extract_answer, gold_answers, stated_answer

FOUND = [
    (r"\boxed{1} then \boxed{2} and text 3", "2"),
    (r"\boxed{a_{1}^{2}} }", "a_{1}^{2}"),
    (r"\boxed{\{1, 2\}}", r"\{1, 2\}"),
    (r"\boxed{\boxed{5}}", "5"),
    (r"\boxed 5 apples", "5"),
    (r"\boxed{1} or \boxed{2}", "1, 2"),
    (r"$x=\boxed{1}$ and $x=\boxed{2}$", "1, 2"),
    (r"\boxed{1} = \boxed{2}", "2"),
    (r"\boxed{7} so far\n#### 8", "7"),
    ("\\boxed{7}\n#### 8", "8"),
    ("#### 8\nso \\boxed{7}", "7"),
    ("#### 3/4", "3/4"),
    ("4 dog : 4 x 4 = 16 total 16 . #### 16", "16"),
    ("4 dog total 16 . 1 bird #### 18 #### 20", "20"),
    ("#### Step 1\nWe add: 3 + 4 = 7", "7"),
    ("#### Step 1: add\n#### 7", "7"),
    ("The answer is 7. Then some text with 8.", "7"),
    ("The answer is 7.5. Then some text.", "7.5"),
    ("The answer is (B) because of 8.", "(B)"),
    ("The answer is $x = 7$, which is more than 6.", "$x = 7$"),
    ("The answer is 7 (we added 3 and 4).", "7"),
    ("Final Answer: $7$", "$7$"),
    ("**Final Answer**: **7**", "7"),
    ("The answer is: \\[ 7 \\]", "7"),
    ("The answer is Monday", "Monday"),
    ("\\boxed{7}\n\nThe final answer is Monday", "Monday"),
    ("\\boxed{7}. The answer is plausible here", "7"),
    ("\\boxed{7}. This answer is correct.", "7"),
    ("\\boxed{7}. We verify our answer: 3 + 4 = 7.", "7"),
    ("\\boxed{\\text{the answer is } 5}", r"\text{the answer is } 5"),
    ("My answers are 3 and 4.", "3 and 4"),
    ("<answer>7</answer> and 8", "7"),
    ("<answer>1 2\n3 4</answer>", "1 2\n3 4"),
    ("<answer>7", "7"),
    ("x = 7", "x = 7"),
    ("7 apples", "7 apples"),
    ("There are 1,234 apples", "1,234"),
    ("There are -7 apples", "-7"),
    ("This costs $7.50.", "$7.50"),
    ("That is 3/4 of it", "3/4"),
    ("That is 30% of it", "30%"),
]

ABSENT = [
    "",
    "...",
    "No idea at all\nreally",
    r"\boxed{}",
    "<answer></answer>",
    "so it is not 5",
    "it was 4 or 5",
]


@pytest.mark.parametrize(("text", "answer"), FOUND)
def test_the_answer_is_found(text: str, answer: str) -> None:
    assert extract_answer(text) == answer


@pytest.mark.parametrize("text", ABSENT)
def test_no_answer_is_found(text: str) -> None:
    assert not any(character.isalnum() for character in extract_answer(text) or "")


def test_a_number_without_marker_is_not_stated() -> None:
    assert stated_answer("There are 7") is None


def test_the_last_box_is_gold_even_if_a_phrase_follows() -> None:
    assert gold_answers(r"\boxed{5}. The answer is 6.") == ["5"]


def test_joined_boxes_are_gold_as_a_list_too() -> None:
    assert gold_answers(r"$\boxed{-2}$ and $\boxed{1}$") == ["1", "-2, 1"]


def test_the_last_line_is_gold_without_a_box() -> None:
    assert gold_answers("2 + 3 = 5\n#### 5") == ["5"]


def test_a_bare_answer_is_gold() -> None:
    assert gold_answers(" 18 ways. ") == ["18 ways"]


def test_a_text_without_answer_has_no_gold() -> None:
    assert gold_answers("some\ntext") == []
