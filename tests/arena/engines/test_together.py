"""Students that two processes train together: the same as one trains alone, but for rounding."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from distillgame.arena import load_config
from distillgame.arena.engines import together
from distillgame.arena.engines.together import run_stage
from distillgame.arena.plan import Planner
from distillgame.arena.plan.targets import DefenseTarget
from distillgame.arena.run import Run
from distillgame.arena.stages import MODEL, DistillStage, StageContext, read_report
from distillgame.errors import DistillgameError
from distillgame.fork_server import start_worker
from distillgame.policies import Defense
from distillgame.students import StudentChoice

TOLERANCE = 1e-3
"""Distance of two students relative to how far one has moved. Grouping by process leaves .045 for adaptive_once."""

ROUGH = 5e-3
"""The same where values are differences over a step of 1e-3, which makes rounding a thousand times larger."""


@pytest.fixture(scope="module")
def traces(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    """A game, and a run in which its traces are sampled."""
    from tests.arena.conftest import TINY

    # 21 traces in minibatches of 8 in two passes of 4: the last step of an epoch has one pass of one.
    training = TINY["training"] | {"epochs": 3, "batch_size": 4, "accumulate": 2, "learning_rate": 1e-3}
    game = TINY | {"splits": TINY["splits"] | {"train": 21}, "training": training, "seeds": [0]}
    root = tmp_path_factory.mktemp("run")
    with Run(root, load_config(game), progress=False) as run:
        stages = [stage for name in STUDENTS for stage in training_of(game, name).inputs()]
        run.compute(stages)
    return game, root


STUDENTS = {
    "passive": {},
    "adaptive": {"eta": 2.0},
    "adaptive_once": {"eta": 2.0},
    "shuffled": {"eta": 2.0},
    # Some of its lessons have a rejected target, for which a process makes one more pass.
    "preferring": {},
}


def training_of(game: dict[str, Any], name: str, **settings: Any) -> DistillStage:
    planner = Planner(load_config(game | {"training": game["training"] | settings}))
    target = DefenseTarget.of(Defense.model_validate("standard"))
    return planner.distill(target, StudentChoice.model_validate({name: STUDENTS[name]}), 0)


def context(root: Path, game: dict[str, Any], out: Path, progress: Any = lambda *_: None) -> StageContext:
    out.mkdir(parents=True, exist_ok=True)
    with Run(root, load_config(game), progress=False) as run:
        store = run.store
    return StageContext(out, store.folder, "cpu", progress)


def weights(out: Path) -> dict[str, torch.Tensor]:
    (path,) = (out / MODEL).glob("*.safetensors")
    found: dict[str, torch.Tensor] = load_file(path)
    return found


def distance(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> float:
    return math.sqrt(sum(float((one[key] - other[key]).double().square().sum()) for key in one))


@pytest.mark.parametrize(
    ("name", "settings"),
    [*((name, {}) for name in STUDENTS), ("adaptive", {"lora": {"rank": 4, "alpha": 8}})],
    ids=[*STUDENTS, "adapters"],
)
def test_two_processes_train_what_one_does(
    traces: tuple[dict[str, Any], Path], tmp_path: Path, name: str, settings: dict[str, Any]
) -> None:
    game, root = traces
    stage = training_of(game, name, **settings)
    shared_stage = stage.model_copy(update={"training": stage.training.model_copy(update={"devices": 2})})
    run_stage(stage, context(root, game, tmp_path / "1"))
    run_stage(shared_stage, context(root, game, tmp_path / "2"))
    one, two = weights(tmp_path / "1"), weights(tmp_path / "2")
    assert one.keys() == two.keys()
    # Of adapters the second factor starts at zero, and is what counts here.
    start = (
        {key: torch.zeros_like(part) if "lora_B" in key else part for key, part in one.items()}
        if settings
        else training_of(game, name).base.load("cpu").model.state_dict()
    )
    rough = name in {"adaptive", "shuffled"}
    assert 0 < distance(one, two) < (ROUGH if rough else TOLERANCE) * distance(one, start)
    alone, shared = read_report(tmp_path / "1"), read_report(tmp_path / "2")
    assert (alone.traces, alone.steps) == (shared.traces, shared.steps)
    assert alone.steps == 9
    relative = 1e-3 if rough else 1e-5
    assert shared.loss == pytest.approx(alone.loss, rel=relative)
    assert shared.rho == pytest.approx(alone.rho, rel=relative, abs=1e-6)
    assert shared.effective_share == pytest.approx(alone.effective_share, rel=relative)


def test_a_killed_training_of_two_goes_on_where_it_was(traces: tuple[dict[str, Any], Path], tmp_path: Path) -> None:
    game, root = traces
    stage = training_of(game, "adaptive", devices=2, checkpoint_every=2, epochs=10)
    steps: list[int] = []

    class StopError(Exception):
        pass

    def stop(done: int, total: int) -> None:
        steps.append(done)
        if done >= 5:
            raise StopError

    with pytest.raises(StopError):
        run_stage(stage, context(root, game, tmp_path / "two", stop))
    again: list[int] = []
    run_stage(stage, context(root, game, tmp_path / "two", lambda done, total: again.append(done)))
    assert min(again) > 4
    run_stage(stage, context(root, game, tmp_path / "whole"))
    whole, resumed = weights(tmp_path / "whole"), weights(tmp_path / "two")
    assert max(float((whole[key] - resumed[key]).abs().max()) for key in whole) < 1e-5


def test_the_death_of_one_process_ends_the_stage(
    traces: tuple[dict[str, Any], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others would wait for it for ever."""
    game, root = traces
    started: list[Any] = []

    def start(*arguments: Any) -> Any:
        started.append(start_worker(*arguments))
        return started[-1]

    monkeypatch.setattr(together, "start_worker", start)

    def progress(done: int, total: int) -> None:
        if done >= 3:
            started[1].kill()

    with pytest.raises(DistillgameError, match=r"its process died .* \(in process 1 of 2\)"):
        run_stage(training_of(game, "passive", devices=2, epochs=500), context(root, game, tmp_path / "out", progress))
    assert all(process.poll() is not None for process in started)


def test_more_devices_than_a_pass_has_traces_are_refused() -> None:
    with pytest.raises(DistillgameError, match="devices: 8 processes cannot share a batch_size of 4"):
        load_config("bestiary", overrides={"training.devices": 8, "training.batch_size": 4})


def test_one_device_leaves_keys_as_they_were(tiny: dict[str, Any]) -> None:
    stage = training_of(tiny, "passive")
    assert "devices" not in json.dumps(stage.spec())
    assert training_of(tiny, "passive", devices=2).key("cpu") != stage.key("cpu")
