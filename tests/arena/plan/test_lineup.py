from typing import Any

import pytest

from distillgame.arena import load_config
from distillgame.arena.plan import GivenTarget, Lineup, Planner, Round
from distillgame.arena.stages import DistillStage, FormStage, GivenStage, SampleStage
from distillgame.arena.sweep import widened
from distillgame.students import SUITES, StudentChoice


def lineup(tiny: dict[str, Any], **changes: Any) -> Lineup:
    config = load_config({**tiny, "students": [], "suite": "standard", "controls": True, **changes})
    return Lineup(Planner(config, resolve=False))


GIVEN = GivenStage(path="x.jsonl", digest="0", rows=24, graded=False)
LONGEST = "filter share=0.5 value=length"


def test_a_suite_brings_its_students_and_the_controls(tiny: dict[str, Any]) -> None:
    found = lineup(tiny)
    entries = found.entries(found.rounds[0])
    names = [entry.choice.label for entry in entries if not entry.control]
    assert len(names) == len(SUITES["standard"].members)
    controls = [entry.choice.name for entry in entries if entry.control]
    assert controls == ["untrained", "reference", "eta_zero", "shuffled", "oracle"]


def test_the_strongest_of_each_level_is_chosen_on_validation_and_gets_all_seeds(tiny: dict[str, Any]) -> None:
    found = lineup(tiny)
    accuracies = dict.fromkeys(found.trials(found.rounds[0]), 0.4) | {LONGEST: 0.8, "mixed share=0.5": 0.6}
    entries = found.entries(found.rounds[0], accuracies)
    strongest = {entry.level: entry.choice.label for entry in entries if entry.strongest}
    assert strongest == {"text": LONGEST, "assisted": "mixed share=0.5"}
    seeds = {entry.choice.label: len(entry.seeds) for entry in entries}
    assert seeds[LONGEST] == seeds["passive"] == seeds["reference"] == 2
    assert seeds["verified"] == seeds["eta_zero"] == 1


def test_controls_share_the_eta_of_the_strongest_adaptive_student(tiny: dict[str, Any]) -> None:
    found = lineup(tiny)
    accuracies = dict.fromkeys(found.trials(found.rounds[0]), 0.4) | {"adaptive eta=4": 0.5}
    entries = found.entries(found.rounds[0], accuracies)
    assert {"shuffled eta=4", "oracle eta=4"} <= {entry.choice.label for entry in entries}


def test_trials_never_read_the_test_split(tiny: dict[str, Any]) -> None:
    found = lineup(tiny)
    assert {stage.problems.name for stage in found.trials(found.rounds[1]).values()} == {"validation"}
    assert {stage.seed for stage in found.trials(found.rounds[1]).values()} == {0}


def test_best_of_k_stays_within_its_queries(tiny: dict[str, Any]) -> None:
    found = lineup(tiny)
    student = StudentChoice(name="best_of_k", options={"k": 8})
    stage = found.planner.distill(found.rounds[1].target, student, 0)
    assert stage.queries == 24
    assert len(stage.further) == 7
    assert all(isinstance(s, SampleStage) and s.problems.size == 3 for s in stage.further)


def test_given_traces_leave_out_who_needs_more(tiny: dict[str, Any]) -> None:
    found = Lineup(lineup(tiny).planner, [GivenTarget.of(GIVEN)])
    names = {choice.name for choice in found.attackers(found.rounds[0])}
    assert not names & {"best_of_k", "curriculum", "verified", "on_policy", "inverted"}
    assert {"passive", "adaptive", "filter", "retold", "mixed"} <= names
    judged = Round(GivenTarget.of(GIVEN.model_copy(update={"graded": True})), 24)
    assert "verified" in {choice.name for choice in found.attackers(judged)}
    controls = {entry.choice.name for entry in found.entries(found.rounds[0]) if entry.control}
    assert "oracle" not in controls


def test_log_probabilities_are_of_full_completions_only(tiny: dict[str, Any]) -> None:
    policies = ["standard", {"standard": {"form": "answer_only"}}]
    found = lineup(tiny, suite="informed", policies=policies)
    full, short = ({choice.name for choice in found.attackers(played)} for played in found.rounds)
    assert full - short == {"logit"}


def test_another_form_is_released_to_the_student(tiny: dict[str, Any]) -> None:
    found = lineup(tiny, policies=[{"poe": {"gamma": 0.5, "form": "summary"}}])
    stage = found.planner.distill(found.rounds[0].target, found.config.attackers[0], 0)
    assert isinstance(stage, DistillStage)
    assert isinstance(stage.traces, FormStage)
    assert stage.traces.defense == found.config.policies[0].label == "poe gamma=0.5 form=summary"


def test_fewer_queries_are_the_first_of_the_same_traces(tiny: dict[str, Any]) -> None:
    found = Lineup(lineup(tiny).planner, queries=[6, 24])
    few, many = (
        found.planner.distill(played.target, found.config.attackers[0], 0, played.queries)
        for played in found.rounds[:2]
    )
    assert (few.queries, many.queries) == (6, 24)
    assert few.traces == many.traces


def test_a_sweep_adds_strengths_in_order_and_keeps_other_options(tiny: dict[str, Any]) -> None:
    tiny["policies"] = ["standard", {"poe": {"gamma": 0.5, "proxies": ["proxy"]}}]
    tiny["sweep"] = {"strengths": {"poe": {"gamma": [0.7, 0.3]}}}
    labels = [defense.label for defense in widened(load_config(tiny)).policies]
    assert labels == [
        "standard",
        "poe gamma=0.3 proxies=proxy",
        "poe gamma=0.5 proxies=proxy",
        "poe gamma=0.7 proxies=proxy",
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"suite": "stronger"}, "unknown suite 'stronger'; choose among standard, informed"),
        ({"suite": None}, "students: list some, or name a 'suite'"),
        ({"sweep": {"queries": [100]}}, "sweep.queries: 100 is not between 1 and splits.train"),
        ({"sweep": {"strengths": {"temperature": {"temperature": [1]}}}}, "list this policy among the game's first"),
        ({"attacker": {"references": 13}}, "attacker.references: the holdout has only 12 problems"),
        ({"policies": [{"standard": {"form": "short"}}]}, "unknown form 'short'"),
    ],
)
def test_bad_fields_are_named(tiny: dict[str, Any], changes: dict[str, Any], message: str) -> None:
    from distillgame.errors import DistillgameError

    with pytest.raises(DistillgameError, match=message):
        lineup(tiny, **changes)


def test_a_listed_student_that_cannot_be_played_is_an_error(tiny: dict[str, Any]) -> None:
    from distillgame.errors import DistillgameError

    students = ["passive", {"best_of_k": {"k": 25}}]
    with pytest.raises(DistillgameError, match="student 'best_of_k k=25' needs at least 25 queries"):
        lineup(tiny, students=students)


def test_a_suite_leaves_out_who_asks_more_than_it_may(tiny: dict[str, Any]) -> None:
    found = Lineup(lineup(tiny).planner, queries=[2, 3])
    few, enough = ({choice.name for choice in found.attackers(played)} for played in found.rounds[:2])
    assert enough - few == {"on_policy"}


def test_log_probabilities_need_the_teachers_vocabulary(tiny: dict[str, Any]) -> None:
    config = load_config({**tiny, "students": [], "suite": "informed", "student": "embedded:student-bpe"})
    found = Lineup(Planner(config))
    assert "logit" not in {choice.name for choice in found.attackers(found.rounds[0])}


def test_a_student_listed_at_its_default_is_not_played_twice(tiny: dict[str, Any]) -> None:
    listed, alone = (lineup(tiny, students=students) for students in ([{"retold": {"rounds": 2}}, "verified"], []))
    names, members = ([choice.name for choice in found.attackers(found.rounds[0])] for found in (listed, alone))
    assert sorted(names) == sorted(members)


def test_an_objective_on_undefended_traces_competes_among_the_informed(tiny: dict[str, Any]) -> None:
    found = lineup(tiny, attacker={"objective": "clean"})
    levels = {entry.choice.label: entry.level for entry in found.entries(found.rounds[0])}
    assert levels["passive"] == levels[LONGEST] == "text"
    assert levels["adaptive eta=2"] == levels["filter share=0.5 value=influence"] == "informed"


def test_an_informed_student_knows_the_defenses_own_proxy(tiny: dict[str, Any]) -> None:
    tiny["proxies"] = {"olmo2": "embedded:proxy-olmo2"}
    policies = [{"poe": {"gamma": 0.5, "proxies": ["olmo2"]}}, "standard"]
    found = lineup(tiny, suite="informed", policies=policies)
    student = next(choice for choice in found.config.attackers if choice.name == "proxy_aware")
    known = [found.planner.distill(played.target, student, 0).proxy for played in found.rounds]
    assert [model.spec.source for model in known if model] == ["embedded:proxy-olmo2", "embedded:proxy"]


def test_a_control_policy_meets_the_passive_and_the_adaptive_students_only(tiny: dict[str, Any]) -> None:
    found = lineup(tiny, policies=["standard", {"permutation": {"lambda": 0.2}}], students=["verified"])
    names = {choice.name for choice in found.attackers(found.rounds[1])}
    assert names == {"passive", "adaptive", "verified"}


def test_a_race_is_among_the_stages_to_expect(tiny: dict[str, Any]) -> None:
    listed = ["passive", "verified", {"filter": {"share": 0.5}}, {"adaptive": {"eta": 2}}]
    found = lineup(tiny, suite=None, students=listed, controls=False, search={"trainings": 6}, policies=["standard"])
    trained = [stage.trained for stage in found.expected() if isinstance(stage, SampleStage)]
    composed = {stage for stage in trained if isinstance(stage, DistillStage) and stage.student.name == "composed"}
    assert sorted(stage.queries for stage in composed) == [6, 6, 6, 12, 12, 24]
