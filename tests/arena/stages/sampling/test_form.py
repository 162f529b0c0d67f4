"""Forms as stages: by rules, by a model that is run here, and by one behind an endpoint."""

import re
from pathlib import Path
from typing import Any

import pytest

from distillgame.arena import load_config, play
from distillgame.arena.dry_run import estimate
from distillgame.arena.plan import Planner
from distillgame.arena.run import Run
from distillgame.arena.stages import TRACES, FormStage, TracesStage, WritingCosts, WrittenFormStage
from distillgame.errors import DistillgameError
from distillgame.policies import Defense
from distillgame.records import Trace, read_traces
from distillgame.tasks import extract_answer
from tests.endpoints import Reply, completion, endpoint


def defense(form: Any) -> dict[str, Any]:
    return {"poe": {"gamma": 0.5, "form": form}}


def released(config: dict[str, Any], form: Any, root: Path) -> tuple[list[Trace], list[Trace], WritingCosts | None]:
    """Completions, what was released of them, and what writing it cost."""
    game = load_config(config)
    stage = Planner(game).release(Defense.model_validate(defense(form)), "test", 0)
    assert isinstance(stage, FormStage)
    with Run(root, game, progress=False) as run:
        run.compute([stage])
        whole, made = (read_traces(run.folder(each) / TRACES) for each in (stage.traces, stage))
        return whole, made, WritingCosts.read(run.folder(stage))


def test_rules_put_the_total_first(tiny: dict[str, Any], tmp_path: Path) -> None:
    whole, made, costs = released(tiny, "reformulate", tmp_path)
    assert costs is None
    assert [trace.correct for trace in made] == [trace.correct for trace in whole]
    assert all(trace.completion.startswith(f"total {trace.extracted} . ") for trace in made if trace.extracted)


def test_a_model_that_is_run_here_writes_what_is_released(tiny: dict[str, Any], tmp_path: Path) -> None:
    whole, made, costs = released(tiny, {"rewrite": {"writer": "embedded:teacher", "tries": 3}}, tmp_path)
    assert costs is not None
    assert len(whole) <= costs.texts <= 3 * len(whole)
    assert costs.tokens > 0
    changed = 0
    for before, after in zip(whole, made, strict=True):
        assert after.extracted == before.extracted
        changed += after.completion not in (before.completion, f"#### {before.extracted}")
    assert changed > len(whole) / 2


def test_an_endpoint_writes_and_a_second_text_is_asked_only_where_the_first_was_wrong(
    tiny: dict[str, Any], tmp_path: Path
) -> None:
    def right_at_the_second(body: dict[str, Any], before: int) -> Reply:
        return completion("It is #### 1" if before < 16 else "nothing", completion_tokens=10)

    with endpoint(right_at_the_second) as listening:
        form = {"rewrite": {"writer": {"endpoint": listening.url, "model": "w"}, "tries": 2}}
        whole, made, costs = released(tiny, form, tmp_path)
        texts = len(listening.asked)
    agreed = [trace.extracted == "1" for trace in whole]
    assert texts == 2 * len(whole) - sum(agreed)
    assert costs == WritingCosts(texts, 0, 10 * texts, 0)
    for before, after, same in zip(whole, made, agreed, strict=True):
        # Nothing but the answer is released where no rewriting came to it: never the completion.
        expected = "It is #### 1" if same else "" if before.extracted is None else f"#### {before.extracted}"
        assert after.completion == expected
        assert extract_answer(after.completion) == before.extracted


def test_a_run_that_an_endpoint_failed_goes_on_and_asks_nothing_twice(tiny: dict[str, Any], tmp_path: Path) -> None:
    def fails_once(body: dict[str, Any], before: int) -> Reply:
        return Reply({"error": "out of credit"}, 402) if before == 5 else completion("It is #### 1")

    with endpoint(fails_once) as listening:
        place = {"endpoint": listening.url, "model": "w", "concurrency": 1, "retries": 0}
        form = {"rewrite": {"writer": place, "tries": 1}}
        with pytest.raises(DistillgameError, match=r"answered 402: .*out of credit"):
            released(tiny, form, tmp_path)
        whole, *_ = released(tiny, form, tmp_path)
        assert len(listening.asked) == len(whole) + 1


def test_another_strategy_or_writer_is_another_stage(tiny: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"

    def stage(**options: Any) -> TracesStage:
        form = {"rewrite": {"writer": "embedded:proxy", **options}}
        return Planner(load_config(tiny)).release(Defense.model_validate(defense(form)), "test", 0)

    path.write_text("own: one")
    first = stage(strategy="own", strategies=str(path))
    path.write_text("own: two")
    second = stage(strategy="own", strategies=str(path))
    assert isinstance(first, WrittenFormStage)
    assert len({first, second, stage(), stage(strategy="plain"), stage(writer="embedded:teacher")}) == 5


def test_a_strategy_that_changes_while_a_game_runs_is_noticed(tiny: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text("own: one")
    form = {"rewrite": {"writer": "embedded:proxy", "strategy": "own", "strategies": str(path)}}
    stage = Planner(load_config(tiny)).release(Defense.model_validate(defense(form)), "test", 0)
    path.write_text("own: two")
    with (
        Run(tmp_path, load_config(tiny), progress=False) as run,
        pytest.raises(DistillgameError, match="strategy changed meanwhile"),
    ):
        run.compute([stage])


def test_rows_say_what_writing_cost_and_the_dry_run_what_will_be_asked(tiny: dict[str, Any], tmp_path: Path) -> None:
    with endpoint(lambda body, before: completion("It is #### 1", completion_tokens=4)) as listening:
        place = {"endpoint": listening.url, "model": "w"}
        form = {"rewrite": {"writer": place, "tries": 1}}
        config = tiny | {"policies": ["standard", defense(form), defense("summary")], "students": ["passive"]}
        said = estimate(load_config(config))
        results = play(config, tmp_path / "run", progress=False)
    row, summary = results.teachers[1:3]
    assert row.written_tokens == 4
    assert row.time_cost is None
    assert row.form.startswith("rewrite writer=endpoint:http")
    assert summary.written_tokens is None
    expected = re.search(r"([0-9]+) requests to w at http", said)
    assert expected is not None
    assert int(expected[1]) == len(listening.asked)
