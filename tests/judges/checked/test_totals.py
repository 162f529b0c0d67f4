import pytest

from distillgame.judges.checked.totals import in_notation, totals

FULL = "4 cockroach : 4 x 6 = 24 total 24 . next 3 red ant : insect : 3 x 6 = 18 total 42 . #### 42"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (FULL, [("total 24", True, True), ("total 42", True, True)]),
        (
            "4 dog : 4 x 4 = 16 total 17 . 1 bird : 1 x 2 = 2 total 19 .",
            [("total 17", False, True), ("total 19", True, True)],
        ),
        ("4 dog total 16 . 1 bird : 1 x 2 = 2 total 18 .", [("total 16", True, False), ("total 18", True, True)]),
        ("4 dog . 1 bird : 1 x 2 = 2 total 18 .", [("total 18", True, False)]),
        ("4 dog : 4 x 4 = 16 . 1 bird : 1 x 2 = 2 total 19 .", [("total 19", False, True)]),
        ("4 dog . 1 bird . #### 18", []),
    ],
)
def test_totals_are_checked_where_working_is_shown(text: str, found: list[tuple[str, bool, bool]]) -> None:
    told = [
        (text[total.statement.start : total.statement.end], total.statement.true, total.checked)
        for total in totals(text)
    ]
    assert told == found


@pytest.mark.parametrize("text", [FULL, "so 4 dog . 1 bird . #### 18", "4 dog total 16 ."])
def test_the_notation_is_recognised(text: str) -> None:
    assert in_notation(text)


@pytest.mark.parametrize("text", ["", "#### 18", "He has 4 dogs.", "4 * 4 = 16", "Then 4 dog . is odd"])
def test_words_are_not_taken_for_it(text: str) -> None:
    assert not in_notation(text)
