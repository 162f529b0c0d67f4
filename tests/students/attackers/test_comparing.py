"""Students that compare traces with each other."""

import pytest

from distillgame.errors import DistillgameError
from distillgame.models import LanguageModel
from distillgame.records import ReleasedTrace
from distillgame.students import Desk, Supplies, make_student


def trace(completion: str) -> ReleasedTrace:
    return ReleasedTrace([{"role": "user", "content": "q"}, {"role": "assistant", "content": completion}])


def kept(model: LanguageModel, student: str, options: dict[str, float], *draws: list[str]) -> list[str]:
    traces, *further = [[trace(text) for text in each] for each in draws]
    desk = Desk(model, Supplies(traces, further=further), [], 256, 4, 1e-3, 1e-3)
    lessons = make_student(student, options).prepare(desk)
    return [model.tokenizer.decode(lesson.example.target, skip_special_tokens=True).strip() for lesson in lessons]


def test_what_repeats_a_trace_that_was_kept_is_dropped(teacher: LanguageModel) -> None:
    first = "3 dog : 3 x 4 = 12 total 12 . #### 12"
    texts = [first, first, "3 dog : 3 x 4 = 12 total 12 . #### 13", "5 crab : 5 x 10 = 50 total 50 . #### 50"]
    assert kept(teacher, "deduplicated", {}, texts) == [texts[0], texts[3]]
    assert kept(teacher, "deduplicated", {"overlap": 1.0}, texts) == [texts[0], *texts[2:]]
    # Texts shorter than a run are compared as a whole.
    assert kept(teacher, "deduplicated", {"n": 50}, ["#### 12", "#### 13", "#### 12"]) == ["#### 12", "#### 13"]


def test_traces_with_the_answer_of_most_draws_are_kept(teacher: LanguageModel) -> None:
    draws = ["#### 1", "#### 5"], ["#### 2", "#### 6"], ["3 dog . #### 2", "#### 7"], ["#### 3", "#### 8"]
    assert kept(teacher, "majority", {"k": 4}, *draws) == ["#### 2", "3 dog . #### 2"]


def test_draws_without_an_answer_agree_with_nothing(teacher: LanguageModel) -> None:
    silent = ["Sorry, I could not say how many legs there are."]
    assert kept(teacher, "majority", {"k": 3}, silent, silent, ["#### 2"]) == []


def test_of_two_answers_alike_the_first_counts(teacher: LanguageModel) -> None:
    draws = ["#### 4"], ["#### 5"], ["#### 5"], ["#### 4"]
    assert kept(teacher, "majority", {"k": 4}, *draws) == ["#### 4", "#### 4"]
    needs = make_student("majority", {"k": 4}).needs
    assert (needs.draws, needs.level) == (4, "text")


@pytest.mark.parametrize(
    ("student", "options", "message"),
    [
        ("deduplicated", {"n": 0}, "n must be at least 1"),
        ("deduplicated", {"overlap": 0.0}, "overlap must be above 0 and at most 1"),
        ("majority", {"k": 1}, "k must be at least 2"),
    ],
)
def test_bad_settings_are_refused(student: str, options: dict[str, float], message: str) -> None:
    with pytest.raises(DistillgameError, match=f"student '{student}': {message}"):
        make_student(student, options)
