import pytest

from distillgame.arena import load_config
from distillgame.students import CUSTOM, SUITES, Suite, suite_of
from distillgame.students.suites import TRAININGS

BASE = "embedded:student"


@pytest.mark.parametrize("suite", SUITES.values(), ids=lambda suite: suite.label)
def test_every_member_can_be_made_and_is_an_attack(suite: Suite) -> None:
    for choice in suite.members:
        assert not choice.student.control
        assert dict(choice.student.settings) == choice.options


def test_standard_trains_on_text_and_informed_holds_all_of_it() -> None:
    standard, informed = SUITES["standard"], SUITES["informed"]
    levels = {choice.student.needs.level for choice in standard.members}
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
    assert suite_of(student, settings, BASE, TRAININGS[BASE].model_copy(update=changes), "reference") == label


def test_another_objective_or_another_models_training_is_custom() -> None:
    assert suite_of("passive", {}, BASE, TRAININGS[BASE], "reference") == "standard v1"
    assert suite_of("passive", {}, BASE, TRAININGS[BASE], "clean") == CUSTOM
    assert suite_of("passive", {}, BASE, TRAININGS["embedded:student-bpe"], "reference") == CUSTOM
    assert suite_of("passive", {}, "org/model-3B", TRAININGS[BASE], "reference") == CUSTOM


@pytest.mark.parametrize(
    "config",
    [
        "suite",
        "equal_kl",
        "bestiary",
        "queries",
        "leg_counting_suite",
        "sweep",
        "leg_counting",
        "tokenizers",
        "gsm8k",
        "math",
    ],
)
def test_shipped_configurations_train_as_frozen(config: str) -> None:
    found = load_config(config)
    assert suite_of("passive", {}, found.student.source, found.training, found.attacker.objective) == "standard v1"
