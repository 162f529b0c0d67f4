import pytest

from distillgame.arena import load_config
from distillgame.choices import shown
from distillgame.students import CUSTOM, SUITES, Suite, suite_of
from distillgame.students.suites import TRAININGS

BASE = "embedded:student"


@pytest.mark.parametrize(
    "suite", {id(suite): suite for suite in SUITES.values()}.values(), ids=lambda suite: suite.label
)
def test_every_member_can_be_made_and_is_an_attack(suite: Suite) -> None:
    for choice in suite.members:
        assert not choice.student.control
        given = {name: shown(value) if isinstance(value, dict) else value for name, value in choice.options.items()}
        assert dict(choice.student.settings) | given == dict(choice.student.settings)
    assert len({choice.label for choice in suite.members}) == len(suite.members)


@pytest.mark.parametrize("version", ["v1", "v2", "v3"])
def test_standard_trains_on_text_and_informed_holds_all_of_it(version: str) -> None:
    standard, informed = SUITES[f"standard {version}"], SUITES[f"informed {version}"]
    levels = {choice.student.needs.level for choice in standard.members}
    assert levels == {"text", "assisted"}
    assert informed.members[: len(standard.members)] == standard.members


def test_a_name_means_the_newest_version_and_a_label_one_that_stays() -> None:
    assert SUITES["standard"].label == "standard v3"
    assert SUITES["informed"].label == "informed v3"
    for version in ("v1", "v2", "v3"):
        assert SUITES[f"standard {version}"].label == f"standard {version}"


# The members of all versions, written out with every setting: nothing may change them.


def test_the_third_version_stays() -> None:
    restored = {"k": 8, "rounds": 2, "value": "length", "reader": "filter:share:0.25,value:length", "untold": "drop"}
    assert [(each.name, dict(each.student.settings)) for each in SUITES["standard v3"].members] == [
        ("passive", {}),
        ("adaptive", {"eta": 2}),
        ("adaptive", {"eta": 4}),
        ("filter", {"share": 0.25, "value": "influence"}),
        ("filter", {"share": 0.5, "value": "influence"}),
        ("filter", {"share": 0.25, "value": "length"}),
        ("filter", {"share": 0.5, "value": "length"}),
        ("filter", {"share": 0.75, "value": "length"}),
        ("verified", {}),
        ("best_of_k", {"k": 2}),
        ("retold", {"k": 8, "rounds": 2}),
        ("retold", restored),
        ("on_policy", {"rounds": 3}),
        ("mixed", {"share": 0.5}),
        ("inverted", {"draws": 8, "k": 4, "rate": 0.05}),
        ("spliced", {"draws": 8, "k": 4, "rate": 0.05}),
        ("composed", {"first": "retold:k:8,rounds:2", "then": "mixed:share:0.5"}),
    ]


def test_the_second_version_stays() -> None:
    assert [(each.name, dict(each.student.settings)) for each in SUITES["standard v2"].members] == [
        ("passive", {}),
        ("adaptive", {"eta": 2}),
        ("adaptive", {"eta": 4}),
        ("adaptive", {"eta": 16}),
        ("adaptive_once", {"eta": 8}),
        ("filter", {"share": 0.25}),
        ("filter", {"share": 0.25, "value": "influence"}),
        ("verified", {}),
        ("curriculum", {"k": 4}),
        ("best_of_k", {"k": 2}),
        ("retold", {"k": 8, "rounds": 2}),
        ("on_policy", {"rounds": 3}),
        ("mixed", {"share": 0.5}),
        ("two_phase", {"rate": 0.01}),
        ("inverted", {"draws": 8, "k": 4, "rate": 0.05}),
        ("composed", {"first": "retold:k:8,rounds:2", "then": "mixed:share:0.5"}),
        ("composed", {"first": "inverted:draws:8,k:4", "then": "mixed:share:0.5"}),
    ]


def test_the_first_version_stays() -> None:
    assert all(dict(each.student.settings) == each.options for each in SUITES["informed v1"].members)
    assert " ".join(choice.label.replace(" ", ":") for choice in SUITES["informed v1"].members) == (
        "passive adaptive:eta=4 adaptive:eta=8 adaptive:eta=16 adaptive:eta=32 adaptive_once:eta=8 filter:share=0.1 "
        "filter:share=0.25 verified answer_only truncated:share=0.5 loss_masked:share=0.02 curriculum:k=4 "
        "best_of_k:k=2 best_of_k:k=8 reconstructed:k=4 mixed:share=0.1 mixed:share=0.5 proxy_aware:eta=4 "
        "logit:gamma=0 logit:gamma=0.5"
    )


def test_a_member_of_two_versions_is_in_the_one_that_is_played() -> None:
    labels = [
        suite_of("verified", {}, BASE, TRAININGS[BASE], "reference", played=played)
        for played in (None, "standard", "standard v2", "standard v1", "informed v1")
    ]
    assert labels == ["standard v3", "standard v3", "standard v2", "standard v1", "informed v1"]


@pytest.mark.parametrize(
    ("student", "settings", "changes", "label"),
    [
        ("adaptive", {"eta": 16}, {}, "standard v2"),
        ("retold", {"k": 8, "rounds": 2}, {}, "standard v3"),
        ("filter", {"share": 0.5, "value": "length"}, {}, "standard v3"),
        ("filter", {"share": 0.25}, {}, "standard v2"),
        ("filter", {"share": 0.1}, {}, "standard v1"),
        ("retold", {"k": 8, "rounds": 1}, {}, CUSTOM),
        ("adaptive", {"eta": 8}, {}, "standard v1"),
        ("adaptive", {"eta": 8.0}, {}, "standard v1"),
        ("adaptive", {"eta": 9}, {}, CUSTOM),
        ("adaptive", {"eta": 8}, {"learning_rate": 2e-4, "epochs": 5}, CUSTOM),
        ("adaptive", {"eta": 8}, {"checkpoint_every": 7}, "standard v1"),
        ("logit", {"gamma": 0.5}, {}, "informed v3"),
        ("untrained", {}, {}, CUSTOM),
    ],
)
def test_changing_any_setting_makes_a_row_custom(
    student: str, settings: dict[str, float], changes: dict[str, float], label: str
) -> None:
    assert suite_of(student, settings, BASE, TRAININGS[BASE].model_copy(update=changes), "reference") == label


def test_another_objective_or_another_models_training_is_custom() -> None:
    assert suite_of("passive", {}, BASE, TRAININGS[BASE], "reference") == "standard v3"
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
        "leg_counting_sweep",
        "leg_counting",
        "tokenizers",
        "gsm8k",
        "math",
    ],
)
def test_shipped_configurations_train_as_frozen(config: str) -> None:
    found = load_config(config)
    assert suite_of("passive", {}, found.student.source, found.training, found.attacker.objective) == "standard v3"
