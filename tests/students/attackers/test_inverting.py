"""Reconstructing working: what an inverter learns from, and which of its expansions are learnt."""

import pytest

from distillgame.errors import DistillgameError
from distillgame.models import LanguageModel
from distillgame.records import ReleasedTrace
from distillgame.students import Desk, Inversion, Supplies, make_student
from distillgame.students.attackers.inverting import Spliced

FULL = "4 cockroach : 4 x 6 = 24 total 24 . 3 dog : 3 x 4 = 12 total 36 . #### 36"
TERSE = "4 cockroach total 24 . 3 dog total 36 . #### 36"


def conversation(completion: str) -> ReleasedTrace:
    return ReleasedTrace([{"role": "user", "content": "q"}, {"role": "assistant", "content": completion}])


def test_only_expansions_that_come_to_the_released_answer_are_learnt(teacher: LanguageModel) -> None:
    traces = [conversation(TERSE), conversation(TERSE), conversation("no answer here")]
    wrong = conversation(FULL.replace("36", "35"))
    supplies = Supplies(traces, expansions=[[wrong, conversation(FULL)], [wrong, wrong], [conversation(FULL)]])
    assert learnt(teacher, supplies) == [FULL]


def test_an_expansion_that_keeps_the_traces_numbers_comes_before_one_that_does_not(teacher: LanguageModel) -> None:
    other = "4 cockroach : 4 x 7 = 28 total 28 . 3 dog : 3 x 4 = 12 total 36 . #### 36"
    expansions = [[conversation(other), conversation(FULL)], [conversation(other)]]
    supplies = Supplies([conversation(TERSE)] * 2, expansions=expansions)
    assert learnt(teacher, supplies) == [FULL, other]


def test_what_was_released_stands_and_only_what_an_expansion_inserts_is_taken(teacher: LanguageModel) -> None:
    """The inverter names another animal and drops a word; the trace's own stand, and working comes between them."""
    trace = "so 4 cockroach total 24 . 3 dog : 3 x 4 = 12 total 36 . #### 36"
    other = FULL.replace("dog", "cat")
    off = FULL.replace("24", "28")
    expansions = [
        [conversation(off), conversation(other)],
        [conversation(off)],
        [conversation(FULL.replace("36", "35"))],
    ]
    supplies = Supplies([conversation(trace)] * 3, expansions=expansions)
    assert learnt(teacher, supplies, "spliced") == [f"so {FULL}"]


def test_before_an_answer_alone_comes_the_whole_working(teacher: LanguageModel) -> None:
    supplies = Supplies([conversation("#### 36")], expansions=[[conversation(FULL)]])
    assert learnt(teacher, supplies, "spliced") == [FULL]


@pytest.mark.parametrize(
    ("trace", "expansion", "expected"),
    [
        ("  4 dog\n: 4 x 4 = 16  #### 16 \n", "  4 dog\n: 4 x 4 = 16  #### 16 \n", "  4 dog\n: 4 x 4 = 16  #### 16 \n"),
        ("4 dog . #### 16", "4 dog : 4 x 4 = 16 . #### 16\n", "4 dog : 4 x 4 = 16 . #### 16"),
        ("\n\n#### 16", "4 x 4 = 16\n#### 16", "4 x 4 = 16\n\n#### 16"),
        ("#### 16", "4 x 4 = 16\n#### 16", "4 x 4 = 16\n#### 16"),
        # Both have words of their own before the total: the trace's stay, and no working is added there.
        ("4 cat total 16 . #### 16", "4 rat : 4 x 4 = 16 total 16 . #### 16", "4 cat total 16 . #### 16"),
    ],
)
def test_what_was_released_stands_to_the_letter(
    teacher: LanguageModel, trace: str, expansion: str, expected: str
) -> None:
    supplies = Supplies([conversation(trace)], expansions=[[conversation(expansion)]])
    student = make_student("spliced")
    assert isinstance(student, Spliced)
    assert student.edited(Desk(teacher, supplies, [], 256, 4, 1e-3, 1e-3)) == [conversation(expected)]


def learnt(model: LanguageModel, supplies: Supplies, student: str = "inverted") -> list[str]:
    lessons = make_student(student).prepare(Desk(model, supplies, [], 256, 4, 1e-3, 1e-3))
    return [model.tokenizer.decode(lesson.example.target, skip_special_tokens=True).strip() for lesson in lessons]


def test_what_it_needs_follows_from_its_draws() -> None:
    needs = make_student("inverted", {"draws": 2}).needs
    assert needs.inversion == Inversion(draws=2, expansions=4, rate=0.05)
    assert (needs.references, needs.level) == (True, "assisted")
    with pytest.raises(DistillgameError, match="student 'inverted': draws must be at least 0"):
        make_student("inverted", {"draws": -1})
    with pytest.raises(DistillgameError, match="student 'inverted': rate must be above 0 and at most 1"):
        make_student("inverted", {"rate": 0})
