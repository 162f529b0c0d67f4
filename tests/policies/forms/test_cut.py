import pytest

from distillgame.choices import NamedChoice
from distillgame.errors import DistillgameError
from distillgame.policies import Defense, PolicyChoice, make_policy
from distillgame.policies.forms import make_form
from distillgame.worlds.leg_counting import LegCounting

FULL = "4 cockroach : 4 x 6 = 24 total 24 . so 3 dog : 3 x 4 = 12 total 36 . #### 36"
TASK = LegCounting(1, 1)


def released(form: NamedChoice, completion: str = FULL) -> str:
    return make_form(form).release(completion, TASK)


def test_full_releases_everything() -> None:
    assert released(NamedChoice(name="full")) == FULL


def test_answer_only_releases_the_answer_in_the_tasks_notation() -> None:
    assert released(NamedChoice(name="answer_only")) == "#### 36"
    assert released(NamedChoice(name="answer_only"), "Sorry, I could not say how many legs there are.") == ""


def test_truncated_releases_the_beginning_and_the_answer() -> None:
    half = NamedChoice(name="truncated", options={"share": 0.5})
    assert released(half) == "4 cockroach : 4 x 6 = 24 total 24 . so 3 #### 36"


def test_leg_counting_summarises_by_dropping_its_working() -> None:
    assert TASK.summary(FULL) == "4 cockroach total 24 . so 3 dog total 36 . #### 36"


def test_a_defense_is_a_policy_and_a_form() -> None:
    defense = Defense.model_validate({"poe": {"gamma": 0.5, "form": {"truncated": {"share": 0.5}}}})
    assert defense.without_form == PolicyChoice(name="poe", options={"gamma": 0.5})
    assert defense.label == "poe gamma=0.5 form=truncated,share=0.5"
    assert Defense.model_validate(defense.model_dump()) == defense
    assert Defense.model_validate("standard").label == "standard"


def test_a_choice_makes_its_policy_once_and_a_changed_copy_its_own() -> None:
    defense = Defense.model_validate({"poe": {"gamma": 0.5}})
    assert defense.policy is defense.policy
    assert defense.policy == defense.without_form.policy == make_policy("poe", {"gamma": 0.5})
    assert defense == Defense(name="poe", options={"gamma": 0.5})
    changed = defense.model_copy(update={"options": {"gamma": 0.25}})
    assert changed.policy == make_policy("poe", {"gamma": 0.25})
    assert defense.model_dump() == {"name": "poe", "options": {"gamma": 0.5}, "form": {"name": "full", "options": {}}}


@pytest.mark.parametrize(
    ("form", "message"),
    [
        (
            NamedChoice(name="half"),
            "unknown form 'half': choose one of answer_only, full, reformulate, rewrite, summary, truncated",
        ),
        (NamedChoice(name="truncated", options={"share": 1.5}), "share must be above 0 and below 1"),
    ],
)
def test_bad_forms_are_named(form: NamedChoice, message: str) -> None:
    with pytest.raises(DistillgameError, match=message):
        make_form(form)
