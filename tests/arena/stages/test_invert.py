"""An inverter learns to restore the working of released traces."""

from pathlib import Path
from typing import Any

import pytest

from distillgame.arena import load_config
from distillgame.arena.plan import DefenseTarget, Planner
from distillgame.arena.plan.eligibility import lacking
from distillgame.arena.plan.targets import GivenTarget
from distillgame.arena.run import Run
from distillgame.arena.stages import TRACES, ExpandStage, GivenStage
from distillgame.records import read_released, read_traces
from distillgame.students import StudentChoice
from distillgame.worlds.notation import WORKING


@pytest.fixture
def stage(tiny: dict[str, Any]) -> ExpandStage:
    """The expansion of traces without their working; the untrained student knows the world, as its inverter does."""
    tiny["policies"] = [{"standard": {"form": "summary"}}]
    tiny["training"] |= {"epochs": 40, "learning_rate": 2e-3}
    planner = Planner(load_config(tiny))
    (defense,) = planner.config.policies
    choice = StudentChoice(name="inverted", options={"draws": 1})
    found = planner.distill(DefenseTarget.of(defense), choice, seed=0).expansions
    assert isinstance(found, ExpandStage)
    return found


def test_the_inverter_learns_from_public_solutions_and_completions_of_the_asked_prompts(stage: ExpandStage) -> None:
    assert stage.inverter.references.size == 12
    (own,) = stage.inverter.own
    assert own.count == stage.count == 24
    assert own.trained.label == "distill reference from public solutions seed=0"  # type: ignore[attr-defined]
    assert stage.inverter.examples == 36


def test_working_that_was_not_released_is_restored(stage: ExpandStage, tiny: dict[str, Any], tmp_path: Path) -> None:
    with Run(tmp_path, load_config(tiny), progress=False) as run:
        run.compute([stage])
        released = read_traces(run.folder(stage.traces) / TRACES)
        expanded = read_released(run.folder(stage) / TRACES)
    assert [trace.messages[:-1] for trace in expanded] == [trace.messages[:-1] for trace in released]
    assert not any(WORKING.search(trace.messages[-1]["content"]) for trace in released)
    texts = [trace.messages[-1]["content"] for trace in expanded]
    assert sum(WORKING.search(text) is not None for text in texts) > len(texts) / 2


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
