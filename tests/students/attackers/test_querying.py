"""Students that ask in rounds: what they train on, and what they learn not to say."""

import pytest
import torch
from torch.nn.functional import softplus
from transformers import TrainingArguments

from distillgame.errors import DistillgameError
from distillgame.models import LanguageModel
from distillgame.records import ReleasedTrace
from distillgame.students import Desk, Lesson, Supplies, TrainingSettings, make_student
from distillgame.students.lessons import collate_lessons
from distillgame.students.training.trainer import DistillTrainer
from distillgame.values import collate, mean_logprob


def trace(completion: str) -> ReleasedTrace:
    return ReleasedTrace([{"role": "user", "content": "3 dog"}, {"role": "assistant", "content": completion}])


FIRST, LATER, KNOWN = trace("3 dog total 12 . #### 12"), trace("3 dog . #### 12"), trace("#### 12")
MISTAKE = trace("3 dog total 9 . #### 9")
SUPPLIES = Supplies([FIRST], later=[LATER, KNOWN], mistaken=[MISTAKE, None])


def prepared(model: LanguageModel, student: str) -> list[Lesson]:
    return make_student(student).prepare(Desk(model, SUPPLIES, [], 256, 4, 1e-3, 1e-3))


def test_all_rounds_are_trained_on_and_own_mistakes_rejected(teacher: LanguageModel) -> None:
    plain, preferring = prepared(teacher, "on_policy"), prepared(teacher, "preferring")
    desk = Desk(teacher, SUPPLIES, [], 256, 4, 1e-3, 1e-3)
    assert plain == desk.lessons([FIRST, LATER, KNOWN])
    assert [lesson.example for lesson in preferring] == [lesson.example for lesson in plain]
    (mistake,) = desk.lessons([MISTAKE])
    assert [lesson.rejected for lesson in preferring] == [None, mistake.example, None]


def test_the_loss_is_the_likelihoods_and_that_of_the_preference(teacher: LanguageModel, tmp_path: object) -> None:
    lessons, student = prepared(teacher, "preferring"), make_student("preferring", {"beta": 0.5, "strength": 5.0})
    arguments = TrainingArguments(output_dir=str(tmp_path), use_cpu=True, report_to=[])
    trainer = DistillTrainer(teacher.model, student, lessons, [], TrainingSettings(), arguments, 0)
    loss = trainer.compute_loss(teacher.model, collate_lessons(lessons, 0))
    likely = mean_logprob(teacher.model, collate([lesson.example for lesson in lessons], 0))
    assert lessons[1].rejected is not None
    unlikely = mean_logprob(teacher.model, collate([lessons[1].rejected], 0))
    expected = -likely.sum() + 5 * softplus(-0.5 * (likely[1] - unlikely[0]))
    assert torch.allclose(loss, expected, rtol=1e-5)
    assert loss.item() > -likely.sum().item() + 0.1


def test_they_need_rounds_and_verdicts() -> None:
    needs = make_student("on_policy", {"rounds": 4}).needs
    assert (needs.rounds, needs.verdicts, needs.asks_own, needs.level) == (4, True, True, "text")
    assert not make_student("on_policy", {"rounds": 1}).needs.asks_own


@pytest.mark.parametrize(
    ("student", "options", "message"),
    [
        ("on_policy", {"rounds": 0}, "rounds must be at least 1"),
        ("preferring", {"rounds": 0}, "rounds must be at least 1"),
        ("preferring", {"beta": 0.0}, "beta must be a number above 0"),
        ("preferring", {"strength": -1.0}, "strength must be a number above 0"),
    ],
)
def test_bad_settings_are_refused(student: str, options: dict[str, float], message: str) -> None:
    with pytest.raises(DistillgameError, match=f"student '{student}': {message}"):
        make_student(student, options)
