"""Tellings of a trace by a student that has read it: which of them are learnt, and whose they are."""

import pytest

from distillgame.choices import NamedChoice
from distillgame.errors import DistillgameError
from distillgame.models import LanguageModel
from distillgame.records import ReleasedTrace
from distillgame.students import Desk, Supplies, appraise, make_student

FULL = "4 cockroach : 4 x 6 = 24 total 24 . 3 dog : 3 x 4 = 12 total 36 . #### 36"
TERSE = "4 cockroach total 24 . 3 dog total 36 . #### 36"
HALF = "4 cockroach : 4 x 6 = 24 total 24 . 3 dog total 36 . #### 36"


def telling(completion: str, finish_reason: str = "stop") -> ReleasedTrace:
    return ReleasedTrace(
        [{"role": "user", "content": "4 cockroach , 3 dog"}, {"role": "assistant", "content": completion}],
        finish_reason,
    )


def text(model: LanguageModel, target: tuple[int, ...]) -> str:
    return str(model.tokenizer.decode(target, skip_special_tokens=True)).strip()


def test_of_each_trace_the_most_valuable_telling_with_its_answer_is_learnt(teacher: LanguageModel) -> None:
    wrong, cut = telling(FULL.replace("36", "35")), telling(FULL, "length")
    supplies = Supplies([telling(TERSE), telling("#### 12")], rewrites=[[telling(HALF), wrong, cut], [wrong, wrong]])
    plain = Desk(teacher, supplies, [], 256, 4, 1e-3, 1e-3)
    (full, terse, half) = plain.lessons([telling(FULL), telling(TERSE), telling(HALF)])
    for objective in (full, terse):
        at = Desk(teacher, supplies, [objective], 256, 4, 1e-3, 1e-3)
        values = dict(zip((TERSE, HALF), appraise(at, [terse, half], "grad"), strict=True))
        lessons = make_student("retold", {"k": 3}).prepare(at)
        best = max(values, key=lambda shown: values[shown])
        # Nothing that the reader said comes to the second trace's answer, which stays as it is.
        assert [text(teacher, lesson.example.target) for lesson in lessons] == [best, "#### 12"]


def test_traces_to_whose_answer_the_reader_never_comes_are_kept_or_dropped(teacher: LanguageModel) -> None:
    # The first is told with its answer, if in the very same words; the second with another; the third is cut short.
    supplies = Supplies(
        [telling(TERSE), telling("#### 12"), telling(FULL)],
        rewrites=[[telling(TERSE)], [telling(FULL)], [telling(FULL, "length")]],
    )
    desk = Desk(teacher, supplies, [], 256, 4, 1e-3, 1e-3)
    learnt = {
        untold: [
            text(teacher, lesson.example.target)
            for lesson in make_student("retold", {"value": "length", "untold": untold}).prepare(desk)
        ]
        for untold in ("keep", "drop")
    }
    assert learnt == {"keep": [TERSE, "#### 12", FULL], "drop": [TERSE]}


def test_its_reader_is_a_passive_student_or_that_of_the_round_before() -> None:
    needs = make_student("retold", {"k": 2}).needs
    assert (needs.reader, needs.rewrites, needs.level) == (NamedChoice(name="passive"), 2, "text")
    reader = make_student("retold", {"k": 2, "rounds": 3, "value": "influence"}).needs.reader
    assert reader == NamedChoice(name="retold", options={"k": 2, "rounds": 2, "value": "influence"})


def test_another_student_of_the_traces_may_read_for_it() -> None:
    longest = {"filter": {"share": 0.5, "value": "length"}}
    first, second = (
        make_student("retold", {"k": 2, "rounds": rounds, "value": "length", "reader": longest}) for rounds in (1, 2)
    )
    assert first.needs.reader == NamedChoice.model_validate(longest)
    assert second.needs.reader is not None
    assert dict(make_student("retold", second.needs.reader.options).settings) == dict(first.settings)
    told = make_student("retold", {"k": 2, "value": "length", "reader": longest, "untold": "drop"})
    assert list(told.settings.items()) == [
        ("k", 2), ("rounds", 1), ("value", "length"), ("reader", "filter:share:0.5,value:length"), ("untold", "drop")
    ]  # fmt: skip
    assert not first.needs_objective
    by_influence = {"filter": {"share": 0.5, "value": "influence"}}
    assert make_student("retold", {"value": "length", "reader": by_influence}).needs_objective


@pytest.mark.parametrize(
    ("reader", "problem"),
    [
        ("untrained", "the reader 'untrained' is a control"),
        ("verified", "the reader 'verified' needs more than the traces"),
        ({"mixed": {"share": 0.5}}, "the reader 'mixed' needs more than the traces"),
        ({"filter": {"share": 2}}, "share must be above 0 and below 1"),
        ({"filter": 3}, "student 'retold': reader: must name one student"),
        ({}, "student 'retold': reader: must name one student"),
        ({"filter": {"share": 0.5}, "passive": {}}, "student 'retold': reader: must name one student"),
    ],
)
def test_readers_that_have_not_merely_read_the_traces_are_refused(reader: object, problem: str) -> None:
    with pytest.raises(DistillgameError, match=problem):
        make_student("retold", {"reader": reader})


@pytest.mark.parametrize(
    "reader",
    [
        {"filter": {"value": "length", "share": 0.25}},
        {"name": "filter", "options": {"share": 0.25, "value": "length"}},
    ],
)
def test_a_reader_is_the_same_however_it_is_written(reader: object) -> None:
    usual = {"filter": {"share": 0.25, "value": "length"}}
    for rounds in (1, 2):
        first, second = (make_student("retold", {"rounds": rounds, "reader": each}) for each in (usual, reader))
        assert first.settings == second.settings
        assert first.needs == second.needs


@pytest.mark.parametrize("reader", ["passive", {"passive": {}}, {"passive": None}, {"name": "passive"}])
def test_a_passive_reader_is_the_usual_one(reader: object) -> None:
    assert make_student("retold", {"reader": reader}).settings == make_student("retold").settings
    assert make_student("retold", {"rounds": 2, "reader": reader}).needs == make_student("retold", {"rounds": 2}).needs


def test_what_becomes_of_untold_traces_is_one_of_two_words() -> None:
    with pytest.raises(DistillgameError, match="untold: input should be 'keep' or 'drop'"):
        make_student("retold", {"untold": "forget"})
    assert dict(make_student("retold", {"untold": "drop"}).settings) == {"k": 8, "rounds": 1, "untold": "drop"}


@pytest.mark.parametrize("options", [{"k": 0}, {"rounds": 0}])
def test_bad_settings_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(DistillgameError, match=r"student 'retold': (k|rounds) must be at least 1"):
        make_student("retold", options)
