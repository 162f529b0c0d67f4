"""Compositions: the first student's traces, the second's lessons, and what both need."""

import pytest
import torch

from distillgame.errors import DistillgameError
from distillgame.models import LanguageModel
from distillgame.records import ReleasedTrace
from distillgame.students import Desk, StudentChoice, Supplies, make_student

TRACES = [
    ReleasedTrace([{"role": "user", "content": "?"}, {"role": "assistant", "content": f"{k} dog . #### {4 * k}"}])
    for k in range(1, 5)
]
PUBLIC = ReleasedTrace(
    [{"role": "user", "content": "3 crab"}, {"role": "assistant", "content": "3 crab : 3 x 10 = 30 total 30 . #### 30"}]
)


def texts(model: LanguageModel, targets: list[tuple[int, ...]]) -> list[str]:
    return [model.tokenizer.decode(target, skip_special_tokens=True).strip() for target in targets]


def test_the_second_trains_on_what_the_first_made(teacher: LanguageModel) -> None:
    supplies = Supplies(TRACES, verdicts=[True, False, False, True], references=[PUBLIC])
    desk = Desk(teacher, supplies, [], 256, 4, 1e-3, 1e-3)
    student = make_student("composed", {"first": "verified", "then": {"mixed": {"share": 0.4}}})
    shown = texts(teacher, [lesson.example.target for lesson in student.prepare(desk)])
    public = PUBLIC.messages[-1]["content"]
    assert shown == ["1 dog . #### 4", "4 dog . #### 16", public, public]
    phased = make_student("composed", {"first": "verified", "then": "two_phase"})
    traces, solutions = phased.phases(desk)
    assert texts(teacher, [lesson.example.target for lesson in traces.lessons]) == shown[:2]
    assert (len(solutions.lessons), solutions.rate) == (1, 0.01)


def test_it_needs_what_both_need_and_weighs_as_the_second(teacher: LanguageModel) -> None:
    student = make_student("composed", {"first": {"retold": {"k": 2}}, "then": {"proxy_aware": {"eta": 3.0}}})
    assert (student.needs.rewrites, student.needs.proxy, student.needs.level) == (2, True, "informed")
    assert (student.needs_objective, student.needs_values, student.needs_likelihood) == (True, False, True)
    values = torch.tensor([0.5, -1.0])
    assert torch.equal(student.log_weights(values, torch.Generator()), 3 * values)
    weighing = make_student("composed", {"first": "verified", "then": {"adaptive": {"eta": 2}}})
    assert (weighing.needs_values, weighing.needs_objective, weighing.whole_set) == (True, True, False)
    assert make_student("composed", {"first": "verified", "then": {"adaptive_once": {"eta": 2}}}).whole_set


def test_its_label_and_its_settings_name_both() -> None:
    options = {"first": {"retold": {"k": 2}}, "then": "two_phase"}
    choice = StudentChoice(name="composed", options=options)
    assert choice.label == "composed first=retold:k:2 then=two_phase"
    assert choice.student.settings == {"first": "retold:k:2", "then": "two_phase"}


@pytest.mark.parametrize(
    ("first", "then", "message"),
    [
        ("passive", "passive", "'passive' makes no traces, so it cannot be the first"),
        ("verified", "untrained", "'untrained' is a control"),
        ("verified", {"curriculum": {"k": 4}}, "'curriculum' needs the traces as they were released"),
        ("verified", {"best_of_k": {"k": 2}}, "'best_of_k' needs the traces as they were released"),
        ("verified", {"adaptive": {"eta": -1}}, "eta must be a number at least 0"),
        ("verify", "passive", "unknown student 'verify'"),
    ],
)
def test_what_cannot_be_composed_is_said(first: object, then: object, message: str) -> None:
    with pytest.raises(DistillgameError, match=message):
        make_student("composed", {"first": first, "then": then})


@pytest.mark.parametrize("part", ["first", "then"])
def test_what_names_no_student_is_refused(part: str) -> None:
    options = {"first": "verified", "then": "passive"} | {part: {"filter": 3}}
    with pytest.raises(DistillgameError, match=f"student 'composed': {part}: must name one student"):
        make_student("composed", options)


def test_its_parts_are_the_same_however_they_are_written() -> None:
    first = make_student("composed", {"first": {"filter": {"share": 0.5, "value": "length"}}, "then": "passive"})
    assert dict(first.settings) == {"first": "filter:share:0.5,value:length", "then": "passive"}
    longest = {"name": "filter", "options": {"value": "length", "share": 0.5}}
    second = make_student("composed", {"first": longest, "then": {"passive": {}}})
    assert second.settings == first.settings
