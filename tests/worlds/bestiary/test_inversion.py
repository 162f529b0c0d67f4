"""The rule that restores working, and the texts it is compared with, in ``benchmarks/inversion.py``."""

import pytest

from benchmarks.inversion import is_whole, mended, restored

FULL = "3 bovo : povex : 3 x 3 = 9 total 9 . 1 zapi : 1 x 8 = 8 total 17 . #### 17"


@pytest.mark.parametrize(
    ("completion", "expected"),
    [
        (FULL, FULL),
        ("3 bovo : povex : 3 x 3 = 9 total 9 . 1 zapi total 17 . #### 17", FULL),
        ("3 bovo : povex : 3 x 3 = 9 total 9 . 1 zapi . #### 17", FULL),
        # A total tells the number of legs and not the kind.
        ("so 3 bovo total 9 . 1 zapi total 17 . #### 17", "so " + FULL.replace(" : povex", "")),
        # Of two steps without a total, nothing follows; nor where the difference is no multiple of the count.
        ("3 bovo . 1 zapi . #### 17", "3 bovo . 1 zapi . #### 17"),
        ("3 bovo total 10 . #### 10", "3 bovo total 10 . #### 10"),
    ],
)  # fmt: skip
def test_working_that_follows_from_totals_is_restored(completion: str, expected: str) -> None:
    assert restored(completion) == expected


def test_mending_makes_shown_working_true_and_totals_and_answers_consistent() -> None:
    wrong = "3 bovo : risul : 3 x 2 = 6 total 6 . 1 zapi total 20 . #### 20"
    assert mended(wrong) == "3 bovo : povex : 3 x 3 = 9 total 9 . 1 zapi total 17 . #### 17"
    assert mended(FULL) == FULL


def test_a_completion_is_whole_if_every_step_shows_its_working() -> None:
    assert is_whole(FULL)
    assert not is_whole(FULL.replace(" : 1 x 8 = 8", ""))
    assert not is_whole("#### 17")
    assert not is_whole("")
