"""The processors and GPUs of one worker among several."""

import os
from typing import Any

import pytest

from distillgame.arena.config import GameConfig
from distillgame.arena.engines.share import share
from distillgame.arena.run.run import pick_gpus, pick_workers
from distillgame.arena.stages import PROCESSORS
from distillgame.errors import DistillgameError


@pytest.mark.parametrize(
    ("workers", "found"), [(1, ["2,3,5,7,8"]), (2, ["2,5,8", "3,7"]), (7, ["2", "3", "5", "7", "8", "2", "3"])]
)
def test_processors_belong_to_one_worker_as_long_as_there_are_enough(
    monkeypatch: pytest.MonkeyPatch, workers: int, found: list[str]
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {2, 3, 5, 7, 8}, raising=False)
    assert [share("cpu", number, workers, gpus=1)[PROCESSORS] for number in range(workers)] == found


@pytest.mark.parametrize(
    ("visible", "gpus", "found"),
    [
        ("4,5,6,7", 1, ["4", "5", "6", "7", "4"]),
        ("4,5,6,7", 2, ["4,5", "6,7", "4,5", "6,7", "4,5"]),
        ("", 2, ["0,1", "2,0", "1,2", "0,1", "2,0"]),
        ("9", 2, ["9"] * 5),
    ],
)
def test_gpus_go_round(monkeypatch: pytest.MonkeyPatch, visible: str, gpus: int, found: list[str]) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 3)
    assert [share("cuda", number, 5, gpus)["CUDA_VISIBLE_DEVICES"] for number in range(5)] == found


def test_a_worker_has_the_gpus_over_which_vllm_splits_a_network(
    monkeypatch: pytest.MonkeyPatch, tiny: dict[str, Any]
) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 5)
    assert pick_gpus(GameConfig.model_validate(tiny)) == 1
    tiny["evaluation"]["engine"] = {"vllm": {"tensor_parallel_size": 2}}
    config = GameConfig.model_validate(tiny)
    assert pick_gpus(config) == 2
    assert pick_workers(config, "cuda") == 2
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    with pytest.raises(DistillgameError, match=r"1 workers with 2 GPUs each .* need 2 GPUs \(found 1\)"):
        pick_workers(config, "cuda")
    monkeypatch.setattr("torch.cuda.device_count", lambda: 3)
    tiny["compute"] = {"workers": 2}
    with pytest.raises(DistillgameError, match=r"need 4 GPUs \(found 3\)"):
        pick_workers(GameConfig.model_validate(tiny), "cuda")
