import signal
import time
from pathlib import Path
from typing import Any

import pytest

from distillgame.arena import load_config
from distillgame.arena.engines import Pool
from distillgame.arena.plan import Lineup, Planner
from distillgame.arena.run import Run
from distillgame.arena.run.display import Silent
from distillgame.arena.run.scheduler import Front, by_urgency, execute, in_order
from distillgame.arena.stages import DistillStage, Stage, TrainingStage, WrittenFormStage
from distillgame.arena.store import Store
from distillgame.errors import DistillgameError
from distillgame.policies import Defense, PolicyChoice
from tests.endpoints import completion, endpoint


def test_a_worker_that_dies_while_idle_is_replaced(tiny: dict[str, Any], tmp_path: Path) -> None:
    """A pool outlives one run of stages, and an idle worker holds models: it may be killed for memory."""
    planner, store = Planner(load_config(tiny)), Store(tmp_path, "cpu")
    first, second = (planner.sample(PolicyChoice(name="standard"), split, 0) for split in ("validation", "holdout"))
    with Pool(store, 1) as pool:
        execute([first], pool, Silent())
        (worker,) = pool.idle
        worker.process.send_signal(signal.SIGKILL)
        while worker.alive:
            time.sleep(0.01)
        execute([second], pool, Silent())
        assert store.has(second)


def _makespan(stages: list[Stage], workers: int) -> float:
    """Return when workers that always start the first ready stage of a list are done with it."""
    waiting, now = list(stages), 0.0
    running: list[tuple[float, Stage]] = []
    done: set[Stage] = set()
    while waiting or running:
        for stage in [stage for stage in waiting if done.issuperset(stage.inputs())][: workers - len(running)]:
            waiting.remove(stage)
            running.append((now + stage.effort, stage))
        now, finished = min(running, key=lambda pair: pair[0])
        running.remove((now, finished))
        done.add(finished)
    return now


def test_long_ways_start_first_and_readers_of_students_at_once() -> None:
    config = load_config("bestiary", quick=True)
    stages = [stage for stage in in_order(Lineup(Planner(config, resolve=False)).plan().stages) if not stage.exclusive]
    urgent = by_urgency(stages)
    assert sorted(map(id, urgent)) == sorted(map(id, stages))
    total = sum(stage.effort for stage in stages)
    assert _makespan(urgent, 1) == total
    assert _makespan(urgent, 2) <= total / 2 + 1
    assert _makespan(urgent, 2) < _makespan(stages, 2)
    readers = [any(isinstance(needed, TrainingStage) for needed in stage.inputs()) for stage in urgent]
    assert readers == sorted(readers, reverse=True)
    trainings = [stage for stage in urgent if isinstance(stage, DistillStage)]
    assert [stage.effort for stage in trainings] == sorted((stage.effort for stage in trainings), reverse=True)


def test_a_result_that_is_not_found_again_is_an_error_and_no_endless_wait(tiny: dict[str, Any], tmp_path: Path) -> None:
    """A default that is not of its field's type is written to JSON in another way than it is read from there."""
    with endpoint(lambda body, before: completion("#### 1")) as listening, Pool(Store(tmp_path, "cpu"), 1) as pool:
        form = {"rewrite": {"writer": {"endpoint": listening.url, "model": "m"}}}
        stage = Planner(load_config(tiny)).release(Defense.model_validate({"standard": {"form": form}}), "test", 0)
        assert isinstance(stage, WrittenFormStage)
        whole = stage.model_copy(update={"writer": stage.writer.model_copy(update={"timeout": 60})})
        with pytest.raises(DistillgameError, match="was computed, and its result is not in"):
            execute([whole], pool, Silent())


@pytest.mark.parametrize("isolates", [False, True])
def test_what_measures_time_starts_last_and_alone_on_its_machine(isolates: bool) -> None:
    config = load_config("bestiary", quick=True)
    stages = in_order(Lineup(Planner(config, resolve=False)).plan().stages)
    front = Front(stages, isolates)
    running: list[Stage] = []
    order: list[Stage] = []
    while front:
        while (stage := front.next()) is not None and len(running) < 3:
            assert set(stage.inputs()) <= set(order)
            if stage.exclusive and not isolates:
                assert not running
            front.start(stage)
            running.append(stage)
        order.append(running.pop(0))
        front.finish(order[-1])
    assert sorted(map(id, order)) == sorted(map(id, stages))
    # No engine has it wait for stages that could run beside it.
    measuring = next(place for place, stage in enumerate(order) if stage.exclusive)
    assert isolates or measuring == len(order) - 1


def test_a_url_is_no_folder(tiny: dict[str, Any], tmp_path: Path) -> None:
    for url in ("s3://games/run", "gs://games/run", "file:///tmp/run"):
        with pytest.raises(DistillgameError, match=r"is a URL; name a folder .* compute\.store"):
            Run(Path(url), load_config(tiny))
    Run(tmp_path / "a:" / "b", load_config(tiny))
