"""Each flag on rows that deserve it, and none on rows that do not."""

from typing import Any

import pytest

from distillgame.arena import load_config
from distillgame.arena.results.flags import raise_flags
from distillgame.records import ConfidenceInterval, Difference, Results, StudentRow, TeacherRow
from distillgame.stats import FLAGS
from tests.report.fixtures import game


def difference(value: float, error: float = 0.01, significant: bool = True) -> Difference:
    bounds = ConfidenceInterval(low=value - 2 * error, high=value + 2 * error)
    return Difference(value=value, standard_error=error, interval=bounds, p_value=0.5, significant=significant)


def clean() -> Results:
    """A game in which nothing is suspicious."""
    results = game()
    students = [
        row.model_copy(
            update={
                "effective_share": None if row.effective_share is None else 0.9,
                "strongest": row.strongest and row.student != "adaptive",
                "over_passive": None if row.over_passive is None else difference(0.0, significant=False),
                "over_untrained": None if row.over_untrained is None else difference(0.1),
                "suite": "standard v1",
                "finish_rate": 1.0,
                "accuracy_if_finished": row.accuracy,
            }
        )
        for row in results.students
        if row.student != "reference"
    ]
    hashes = {"proxy": "a", "student": "b"}
    return results.model_copy(update={"students": students, "comparisons": [], "flags": [], "hashes": hashes})


def raised(results: Results, **budgets: float) -> set[str]:
    config = load_config("leg_counting", overrides={"budgets": budgets})
    found = raise_flags(results, config)
    assert all(flag.flag in FLAGS and flag.message.endswith(".") for flag in found)
    return {flag.flag for flag in found}


def changed(results: Results, student: str, **update: Any) -> Results:
    """The same with one row of a defense changed."""
    rows = list(results.students)
    place = next(i for i, row in enumerate(rows) if row.student == student and row.defense.startswith("ads"))
    rows[place] = rows[place].model_copy(update=update)
    return results.model_copy(update={"students": rows})


def row_of(results: Results, student: str) -> StudentRow:
    return next(row for row in results.students if row.student == student and row.defense.startswith("ads"))


def teacher_of(results: Results) -> TeacherRow:
    return next(row for row in results.teachers if row.defense.startswith("ads"))


def test_a_clean_game_has_no_flags() -> None:
    assert raised(clean()) == set()


@pytest.mark.parametrize(
    ("flag", "student", "update"),
    [
        ("adaptive_weaker", "adaptive", {"over_passive": difference(-0.05)}),
        ("loses_to_untrained", "passive", {"over_untrained": difference(-0.05)}),
        ("eta_zero_differs", "eta_zero", {"over_passive": difference(0.001, significant=False)}),
        ("weighing_helps_unmeant", "shuffled", {"over_passive": difference(0.05)}),
        ("weights_collapsed", "adaptive", {"effective_share": 0.05}),
        ("custom_suite", "adaptive", {"suite": "custom"}),
    ],
)
def test_a_student_that_deserves_a_flag_gets_it(flag: str, student: str, update: dict[str, Any]) -> None:
    assert raised(changed(clean(), student, **update)) == {flag}


@pytest.mark.parametrize(
    ("student", "update"),
    [
        ("adaptive", {"over_passive": difference(-0.05, significant=False)}),
        ("passive", {"over_untrained": difference(-0.05, significant=False)}),
        ("shuffled", {"over_passive": difference(0.05, significant=False)}),
    ],
)
def test_what_may_be_chance_gets_no_flag(student: str, update: dict[str, Any]) -> None:
    assert raised(changed(clean(), student, **update)) == set()


def test_the_largest_eta_as_the_strongest_is_the_suites_edge() -> None:
    results = clean()
    largest = max(row.settings["eta"] for row in results.students if row.student == "adaptive")
    rows = [
        row.model_copy(update={"strongest": row.student == "adaptive" and row.settings["eta"] == largest})
        for row in results.students
    ]
    assert raised(results.model_copy(update={"students": rows})) == {"edge_of_suite"}


def test_public_solutions_that_teach_as_much_are_named() -> None:
    results = clean()
    defense = teacher_of(results).defense
    control = row_of(results, "untrained").model_copy(
        update={"student": "reference", "interval": ConfidenceInterval(low=0.9, high=0.99)}
    )
    rows = [
        row.model_copy(update={"strongest": row.defense == defense and row.student == "passive"})
        for row in results.students
    ]
    assert raised(results.model_copy(update={"students": [*rows, control]})) == {"references_suffice"}


def test_a_win_by_finish_rate_is_named() -> None:
    """Half of the answers do not end; those that do are as good as the undefended teacher's student's."""
    results = clean()
    passive = next(row for row in results.students if row.student == "passive" and row.defense == "standard")
    update = {"accuracy": passive.accuracy / 2, "finish_rate": 0.5, "accuracy_if_finished": passive.accuracy}
    assert raised(changed(results, "passive", **update)) == {"finish_rate"}
    update = {"accuracy": passive.accuracy / 2, "finish_rate": 0.5, "accuracy_if_finished": passive.accuracy / 2}
    assert raised(changed(results, "passive", **update)) == set()


def test_a_proxy_that_is_the_student_is_named() -> None:
    results = clean().model_copy(update={"hashes": {"proxy": "a", "student": "a"}})
    assert raised(results) == {"proxy_is_student"}


def test_too_few_problems_for_a_difference_are_named() -> None:
    pair = game().comparisons[0]
    unclear = pair.model_copy(update={"difference": difference(0.04, 0.02, significant=False)})
    tiny = pair.model_copy(update={"difference": difference(0.004, 0.02, significant=False)})
    clear = pair.model_copy(update={"difference": difference(0.06, 0.02)})
    assert raised(clean().model_copy(update={"comparisons": [unclear]})) == {"too_few_problems"}
    assert raised(clean().model_copy(update={"comparisons": [tiny, clear]})) == set()


def test_missed_budgets_are_named() -> None:
    results = clean()
    wanted = teacher_of(results).accuracy
    assert "budget_missed" in raised(results, teacher_accuracy=wanted - 0.2)
    spent = teacher_of(results).kl_per_trace
    assert spent is not None
    assert "budget_missed" in raised(results, kl_per_trace=3 * spent)
