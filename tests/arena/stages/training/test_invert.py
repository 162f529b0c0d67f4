"""An inverter learns to restore the working of released traces."""

from pathlib import Path
from typing import Any

import pytest

from distillgame.arena import load_config
from distillgame.arena.plan import DefenseTarget, Planner
from distillgame.arena.plan.eligibility import lacking
from distillgame.arena.plan.targets import GivenTarget
from distillgame.arena.run import Run
from distillgame.arena.stages import TRACES, ExpandStage, GivenStage, StageContext, read_report
from distillgame.records import read_released
from distillgame.students import StudentChoice
from distillgame.worlds.notation import WORKING


@pytest.fixture
def stage(tiny: dict[str, Any]) -> ExpandStage:
    planner = Planner(load_config(tiny))
    (_, poe, _) = planner.config.policies
    choice = StudentChoice(name="inverted", options={"draws": 2, "k": 2, "rate": 0.5})
    found = planner.distill(DefenseTarget.of(poe), choice, seed=0).expansions
    assert isinstance(found, ExpandStage)
    return found


def test_the_inverter_learns_from_public_solutions_and_completions_of_the_asked_prompts(stage: ExpandStage) -> None:
    inverter = stage.inverter
    assert inverter.references.size == 12
    assert [own.count for own in inverter.own] == [stage.traces.count] * 2 == [24, 24]
    assert inverter.examples == 12 + 2 * 24
    method = inverter.own[0].trained  # type: ignore[attr-defined]
    assert method.label == "distill reference from public solutions seed=0"
    assert method.training.learning_rate == inverter.training.learning_rate / 2


def test_it_is_asked_for_whole_solutions_from_their_reductions_and_then_for_traces(
    stage: ExpandStage, tiny: dict[str, Any], tmp_path: Path
) -> None:
    inverter = stage.inverter
    with Run(tmp_path, load_config(tiny), progress=False) as run:
        run.compute([stage])
        context = StageContext(tmp_path, run.folder, "cpu", lambda done, total: None)
        pairs = inverter.pairs(context)
        own = [trace for each in inverter.own for trace in read_released(run.folder(each) / TRACES)]
        released, expanded = (read_released(run.folder(each) / TRACES) for each in (stage.traces, stage))
        assert read_report(run.folder(inverter)).traces == len(pairs)
    solutions = inverter.references.reference_solutions() + [trace for trace in own if trace.finish_reason == "stop"]
    assert [pair.messages[-1] for pair in pairs] == [solution.messages[-1] for solution in solutions]
    for pair, solution in zip(pairs, solutions, strict=True):
        question, answer = (message["content"] for message in solution.messages)
        (asked, _) = (message["content"] for message in pair.messages)
        assert asked.startswith(f"{question} ")
        assert WORKING.sub("", asked) == f"{question} {WORKING.sub('', answer)}"
    shown = [len(WORKING.findall(pair.messages[0]["content"])) for pair in pairs[:12]]
    assert 0 < sum(shown) < sum(len(WORKING.findall(pair.messages[1]["content"])) for pair in pairs[:12])
    assert [trace.messages[:-1] for trace in expanded] == [t.messages[:-1] for t in released for _ in range(2)]


def test_given_traces_have_no_prompts_to_draw_from(tiny: dict[str, Any], tmp_path: Path) -> None:
    config = load_config(tiny)
    path = tmp_path / "theirs.jsonl"
    path.write_text(
        '{"messages": [{"role": "user", "content": "3 dog"}, {"role": "assistant", "content": "#### 12"}]}\n'
    )
    target = GivenTarget.of(GivenStage.of(path))
    for draws, reason in ((1, "the problems that the traces answer"), (0, None)):
        choice = StudentChoice(name="inverted", options={"draws": draws})
        assert lacking(choice, target, 1, config, True) == reason


def test_an_inverter_of_a_form_learns_from_solutions_in_that_form(tiny: dict[str, Any], tmp_path: Path) -> None:
    tiny["policies"] = [{"standard": {"form": form}} for form in ("answer_only", "summary")]
    planner = Planner(load_config(tiny))
    choice = StudentChoice(name="inverted", options={"draws": 0, "k": 1})
    context = StageContext(tmp_path, lambda stage: tmp_path, "cpu", lambda done, total: None)
    shown = []
    for defense in planner.config.policies:
        found = planner.distill(DefenseTarget.of(defense), choice, seed=0).expansions
        assert isinstance(found, ExpandStage)
        (pair, *_) = found.inverter.pairs(context)
        (asked, answer) = (message["content"] for message in pair.messages)
        question = found.inverter.references.load()[0].question
        shown.append(asked.removeprefix(question).strip())
        assert answer == found.inverter.references.reference_solutions()[0].messages[-1]["content"]
    assert shown == [answer[answer.index("####") :], WORKING.sub("", answer)]
