"""Reconstructing working: what an inverter learns from, and which of its expansions are learnt."""

import random

import pytest

from distillgame.errors import DistillgameError
from distillgame.models import LanguageModel
from distillgame.records import ReleasedTrace
from distillgame.students import Desk, Inversion, Supplies, make_student
from distillgame.students.attackers.inverting import reduced
from distillgame.tasks import TaskChoice

FULL = "4 cockroach : 4 x 6 = 24 total 24 . 3 dog : 3 x 4 = 12 total 36 . #### 36"
TERSE = "4 cockroach total 24 . 3 dog total 36 . #### 36"


def conversation(completion: str) -> ReleasedTrace:
    return ReleasedTrace([{"role": "user", "content": "q"}, {"role": "assistant", "content": completion}])


def test_a_notation_with_summaries_is_reduced_to_them() -> None:
    task = TaskChoice(name="leg_counting").task
    assert reduced(FULL, task.summary, random.Random(0)) == TERSE


def test_other_text_loses_lines_but_not_its_answer() -> None:
    lines = [f"step {i}" for i in range(200)]
    text = "\n".join([*lines, "#### 7"])
    generator = random.Random(0)
    shares = []
    for _ in range(200):
        kept = reduced(text, lambda _: None, generator).splitlines()
        assert kept[-1] == "#### 7"
        assert kept[:-1] == [line for line in lines if line in set(kept)]
        shares.append(len(kept[:-1]) / 200)
    # Kept shares are uniform over [0, 1]: the mean of 200 has a standard error of .02; three of them are .3%.
    assert abs(sum(shares) / 200 - 0.5) < 0.062
    assert min(shares) < 0.1
    assert max(shares) > 0.9
    assert reduced("", lambda _: None, generator) == ""


def test_only_expansions_that_come_to_the_released_answer_are_learnt(teacher: LanguageModel) -> None:
    traces = [conversation(TERSE), conversation(TERSE), conversation("no answer here")]
    wrong = FULL.replace("36", "35")
    supplies = Supplies(traces, expansions=[conversation(FULL), conversation(wrong), conversation(FULL)])
    lessons = make_student("inverted").prepare(Desk(teacher, supplies, [], 256, 4, 1e-3))
    shown = [teacher.tokenizer.decode(lesson.example.target, skip_special_tokens=True).strip() for lesson in lessons]
    assert shown == [FULL]


def test_what_it_needs_follows_from_its_draws() -> None:
    needs = make_student("inverted", {"draws": 2}).needs
    assert needs.inversion == Inversion(draws=2, rate=0.05)
    assert (needs.references, needs.level) == (True, "assisted")
    with pytest.raises(DistillgameError, match="student 'inverted': draws must be at least 0"):
        make_student("inverted", {"draws": -1})
    with pytest.raises(DistillgameError, match="student 'inverted': rate must be above 0 and at most 1"):
        make_student("inverted", {"rate": 0})
