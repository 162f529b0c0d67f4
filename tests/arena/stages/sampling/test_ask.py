"""Rounds of queries about what a student gets wrong."""

from pathlib import Path
from typing import Any

import pytest

from distillgame.arena import load_config
from distillgame.arena.plan import DefenseTarget, Planner
from distillgame.arena.plan.eligibility import lacking
from distillgame.arena.plan.targets import GivenTarget
from distillgame.arena.run import Run
from distillgame.arena.stages import (
    TRACES,
    AskStage,
    DistillStage,
    FormStage,
    GivenStage,
    SampleStage,
    StageContext,
    read_report,
)
from distillgame.errors import DistillgameError
from distillgame.records import read_traces
from distillgame.students import StudentChoice

PREFERRING = StudentChoice(name="preferring", options={"rounds": 2})
ON_POLICY = StudentChoice(name="on_policy", options={"rounds": 3})


def stage(tiny: dict[str, Any], queries: int | None = None) -> DistillStage:
    planner = Planner(load_config(tiny))
    return planner.distill(DefenseTarget.of(planner.config.policies[-1]), ON_POLICY, 0, queries)


def test_each_round_asks_first_what_was_not_asked_and_is_wrong(tiny: dict[str, Any], tmp_path: Path) -> None:
    trained = stage(tiny, queries=15)
    second, third = trained.later
    assert isinstance(second, AskStage)
    assert isinstance(third, AskStage)
    assert (second.queries, second.count, third.draw) == (5, 5, 2)
    with Run(tmp_path, load_config(tiny), progress=False) as run:
        run.compute([trained])
        first, two, three, wrong = (
            read_traces(run.folder(each) / TRACES) for each in (second.before[0], second, third, third.answers)
        )
        assert read_report(run.folder(trained)).traces == 15
    asked = [[trace.problem_id for trace in traces] for traces in (first[:5], two, three)]
    assert len({problem for each in asked for problem in each}) == 15
    # The third round asks what the student of the second gets wrong, as far as there is enough of it.
    correct = {trace.problem_id: trace.correct for trace in wrong}
    rest = [trace.problem_id for trace in first if trace.problem_id not in {*asked[0], *asked[1]}]
    assert asked[2] == sorted(rest, key=lambda problem: bool(correct[problem]))[:5]


def test_where_all_prompts_were_asked_some_are_asked_again_with_another_draw(
    tiny: dict[str, Any], tmp_path: Path
) -> None:
    trained = stage(tiny | {"policies": [{"standard": {"form": "summary"}}]}, queries=24)
    *_, last = trained.later
    assert isinstance(last, FormStage)
    ask = last.traces
    assert isinstance(ask, AskStage)
    assert ask.queries == 8
    with Run(tmp_path, load_config(tiny), progress=False) as run:
        run.compute([last])
        released, sampled = (read_traces(run.folder(each) / TRACES) for each in (last, ask))
    assert [trace.problem_id for trace in released] == [trace.problem_id for trace in sampled]
    assert all(" x " not in trace.completion for trace in released)


def test_a_students_wrong_answers_to_what_it_asks_are_supplied(tiny: dict[str, Any], tmp_path: Path) -> None:
    planner = Planner(load_config(tiny))
    trained = planner.distill(DefenseTarget.of(planner.config.policies[0]), PREFERRING, 0, 12)
    (asked,), (answered,) = trained.later, trained.answered
    assert isinstance(answered, SampleStage)
    assert answered.trained is not None
    assert answered.trained.label == "distill preferring rounds=1 from 6 of standard seed=0"
    with Run(tmp_path, load_config(tiny), progress=False) as run:
        run.compute([trained])
        context = StageContext(tmp_path, run.folder, "cpu", lambda done, total: None)
        mistaken = trained.mistaken(context)
        later, answers = (read_traces(run.folder(each) / TRACES) for each in (asked, answered))
    by_problem = {trace.problem_id: trace for trace in answers}
    expected = [by_problem[trace.problem_id] for trace in later]
    assert [None if each is None else each.messages for each in mistaken] == [
        None if each.correct else each.messages for each in expected
    ]
    assert any(each is not None for each in mistaken)


def test_who_cannot_be_asked_is_not_asked(tiny: dict[str, Any]) -> None:
    target = GivenTarget.of(GivenStage(path="given.jsonl", digest="0", rows=24, graded=True))
    game = load_config(tiny)
    assert lacking(ON_POLICY, target, 24, game, True) == "the problems that the traces answer"
    few = DefenseTarget.of(game.policies[0])
    assert lacking(ON_POLICY, few, 2, game, True) == "at least 3 queries"
    with pytest.raises(DistillgameError, match="cannot be asked anything"):
        target.later(Planner(game), 0, None, (), 1)  # type: ignore[arg-type]
