"""Nothing that a model writes may raise, hang or take the memory."""

import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distillgame.tasks import Grade, grade


@settings(deadline=None)
@given(st.text(max_size=80) | st.text(alphabet=r"\{}[]()$^_,.!fracsqtexboxedpm 0123456789-+=<>&~#", max_size=80))
def test_any_completion_can_be_graded(completion: str) -> None:
    grade(completion, r"\boxed{x+1}", time_limit=1)
    grade(rf"\boxed{{{completion}}}", "(1, x]", time_limit=1)


HOSTILE = [
    r"\boxed{9^{9^{9^{9}}}}",
    r"\boxed{99999999999!}",
    r"\boxed{\sum_{n=1}^{10^{9}} \frac{1}{n!}}",
    r"\boxed{(x+y+z)^{2000}}",
]


@pytest.mark.parametrize("completion", HOSTILE)
def test_the_time_limit_holds(completion: str) -> None:
    begin = time.monotonic()
    result = grade(completion, "x^2+1", time_limit=0.5)
    assert not result.correct
    assert result.timed_out
    assert time.monotonic() - begin < 10


def test_grading_goes_on_after_a_time_out() -> None:
    grade(HOSTILE[0], "5", time_limit=0.2)
    assert grade(r"\boxed{x+1}", "1+x").correct


def test_the_time_limit_holds_in_threads() -> None:
    results: dict[int, Grade] = {}

    def work(index: int) -> None:
        completion = HOSTILE[0] if index % 2 else rf"\boxed{{{index} + x}}"
        results[index] = grade(completion, f"x+{index}", time_limit=2 if index % 2 == 0 else 0.3)

    threads = [threading.Thread(target=work, args=(index,)) for index in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [results[index].correct for index in range(6)] == [True, False] * 3
    assert [results[index].timed_out for index in range(6)] == [False, True] * 3


def test_all_comparisons_of_a_list_share_one_limit() -> None:
    items = ", ".join(rf"\sum_{{n=1}}^{{10^9}} \frac{{{k}}}{{n!}}" for k in range(1, 9))
    begin = time.monotonic()
    assert grade(rf"\boxed{{{items}}}", "1,2,3,4,5,6,7,8", time_limit=0.5).timed_out
    assert time.monotonic() - begin < 10


BIG = [
    "a" * 10**6,
    "(" * 10**6,
    "\\" * 10**6,
    "$" * 10**6,
    " " * 10**6,
    "1,234" * 200_000,
    r"\boxed{" * 100_000,
    r"\boxed{6}" * 100_000,
    "#### " * 200_000,
    "\n#### x" * 150_000,
    "answer is " * 100_000,
    "the answer to " * 80_000,
    "<answer>" * 125_000,
    r"\boxed{" + "{" * 450 + "6" + "}" * 451,
    r"\boxed{" + "(" * 450 + "6" + ")" * 450 + "}",
    r"\boxed{" + "[1," * 300 + "}",
    r"\boxed{" + "((1,2)," * 100 + "3" + ")" * 100 + "}",
    r"\boxed{" + r"\frac{1}{" * 100 + "6" + "}" * 101,
    r"\boxed{1" + r"\pm 1" * 150 + "}",
    r"\boxed{" + "6" * 900 + "}",
    "\0\ud800" * 100,
    "answer: " + r"\(" * 400,
]


@pytest.mark.parametrize("completion", BIG, ids=lambda text: f"{text[:12]!r} x {len(text)}")
def test_enormous_and_malformed_completions_are_wrong_soon(completion: str) -> None:
    begin = time.monotonic()
    assert not grade(completion, "5", time_limit=2).correct
    assert time.monotonic() - begin < 8
