import pytest

from distillgame.arena import load_config
from distillgame.students import CUSTOM, SUITES, make_student, suite_of
from distillgame.students.suites import TRAININGS

EMBEDDED = TRAININGS["embedded"]


@pytest.mark.parametrize("suite", SUITES.values(), ids=lambda suite: suite.label)
def test_every_member_can_be_made_and_is_an_attack(suite: object) -> None:
    for name, settings in suite.members:  # type: ignore[attr-defined]
        student = make_student(name, settings)
        assert not student.control
        assert dict(student.settings) == dict(settings)


def test_standard_trains_on_text_and_informed_holds_all_of_it() -> None:
    standard, informed = SUITES["standard"], SUITES["informed"]
    levels = {make_student(name, settings).needs.level for name, settings in standard.members}
    assert levels == {"text", "assisted"}
    assert informed.members[: len(standard.members)] == standard.members


@pytest.mark.parametrize(
    ("student", "settings", "changes", "label"),
    [
        ("adaptive", {"eta": 8}, {}, "standard v1"),
        ("adaptive", {"eta": 8.0}, {}, "standard v1"),
        ("adaptive", {"eta": 9}, {}, CUSTOM),
        ("adaptive", {"eta": 8}, {"learning_rate": 2e-4, "epochs": 5}, CUSTOM),
        ("adaptive", {"eta": 8}, {"checkpoint_every": 7}, "standard v1"),
        ("logit", {"gamma": 0.5}, {}, "informed v1"),
        ("untrained", {}, {}, CUSTOM),
    ],
)
def test_changing_any_setting_makes_a_row_custom(
    student: str, settings: dict[str, float], changes: dict[str, float], label: str
) -> None:
    assert suite_of(student, settings, EMBEDDED.model_copy(update=changes)) == label


@pytest.mark.parametrize(
    ("config", "training"),
    [("suite", "embedded"), ("embedded", "embedded"), ("tokenizers", "embedded, other tokenizer"),
     ("gsm8k", "paper"), ("math", "paper")],
)  # fmt: skip
def test_shipped_configurations_train_as_frozen(config: str, training: str) -> None:
    found = load_config(config).training.model_copy(update={"checkpoint_every": 0})
    assert found == TRAININGS[training]
