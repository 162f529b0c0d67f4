"""The engine of a stage where vLLM samples: what the process is told, and how long it stays."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from distillgame.arena.config import GameConfig, Generation
from distillgame.arena.plan import Planner
from distillgame.arena.plan.targets import DefenseTarget
from distillgame.arena.stages import GRADIENT, MODEL, PROCESSORS, Stage, StageContext, close_vllm
from distillgame.arena.stages.engine import answering_tokenizer, make_engine
from distillgame.errors import DistillgameError
from distillgame.models import ModelSpec
from distillgame.policies import PolicyChoice
from distillgame.vllm.remote import Launch, RemoteEngine

VLLM = Generation(engine={"vllm": {"max_model_len": 99}}, batch_size=3)


class Process:
    """Stands for a process with vLLM."""

    started: ClassVar[list["Process"]] = []

    def __init__(self, launch: Launch):
        self.launch, self.alive = launch, True
        Process.started.append(self)

    def close(self) -> None:
        self.alive = False


@pytest.fixture(autouse=True)
def processes(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Process]]:
    monkeypatch.setattr("distillgame.arena.stages.engine.VllmProcess", Process)
    monkeypatch.setattr("distillgame.arena.stages.engine.require_device", lambda device: None)
    monkeypatch.setattr(Process, "started", [])
    yield Process.started
    close_vllm()


@pytest.fixture
def planner(tiny: dict[str, Any]) -> Planner:
    return Planner(GameConfig.model_validate(tiny))


def context(tmp_path: Path) -> StageContext:
    def folder(stage: Stage) -> Path:
        return tmp_path / stage.kind

    return StageContext(tmp_path, folder, "cpu", lambda *_: None)


def engine(planner: Planner, policy: PolicyChoice, where: StageContext) -> RemoteEngine:
    stage = planner.sample(policy, "test", seed=0)
    made = make_engine(stage.model, stage.policy, stage.proxies, stage.gradients, VLLM, where)
    assert isinstance(made, RemoteEngine)
    return made


def test_one_process_serves_the_policies_with_the_same_networks(
    planner: Planner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, processes: list[Process]
) -> None:
    monkeypatch.setenv(PROCESSORS, "1,0")
    where = context(tmp_path)
    standard, poe, ads = planner.config.policies
    stronger = PolicyChoice(name="poe", options={"gamma": 0.9})
    for policy in (standard, standard, poe, stronger, ads):
        assert engine(planner, policy, where).policy.label == policy.label
    assert [process.alive for process in processes] == [False, False, True]
    first, second, third = (process.launch for process in processes)
    assert (first.settings.proxies, first.processors) == ({}, frozenset({0, 1}))
    assert list(second.settings.proxies) == list(third.settings.proxies) == ["proxy"]
    assert third.settings.directions == {"proxy": where.folder(next(iter(_gradients(planner, ads)))) / GRADIENT}
    assert first.arguments == {"tensor_parallel_size": 1, "max_num_seqs": 3, "max_model_len": 99}


def test_one_that_died_is_replaced(planner: Planner, tmp_path: Path, processes: list[Process]) -> None:
    for _ in range(2):
        engine(planner, planner.config.policies[0], context(tmp_path))
        processes[-1].close()
    assert len(processes) == 2


def test_adapters_are_read_by_their_base(planner: Planner, tmp_path: Path, processes: list[Process]) -> None:
    """One process for all of them; a student that was trained whole is a model of its own."""
    target, choice, where = DefenseTarget.of(planner.config.policies[0]), planner.config.students[1], context(tmp_path)
    trained = planner.distill(target, choice, seed=0)
    folder = where.folder(trained) / MODEL
    folder.mkdir(parents=True)
    whole = make_engine(trained, PolicyChoice(name="standard"), {}, {}, VLLM, where)
    assert isinstance(whole, RemoteEngine)
    assert (whole.adapter, processes[-1].launch.teacher.source) == (None, str(folder))
    assert processes[-1].launch.teacher.dtype == "float32"
    (folder / "adapter_config.json").write_text(json.dumps({"r": 12}))
    for _ in range(2):
        adapted = make_engine(trained, PolicyChoice(name="standard"), {}, {}, VLLM, where)
        assert isinstance(adapted, RemoteEngine)
        assert adapted.adapter == str(folder)
    assert len(processes) == 2
    launch = processes[-1].launch
    assert launch.teacher == ModelSpec(source="embedded:student", dtype="float32")
    assert (launch.arguments["enable_lora"], launch.arguments["max_lora_rank"]) == (True, 16)
    assert answering_tokenizer(trained, where, VLLM).source == "embedded:student"
    (folder / "adapter_config.json").write_text(json.dumps({"r": 1000}))
    with pytest.raises(DistillgameError, match=r"rank 512 at most \(found 1000\)"):
        make_engine(trained, PolicyChoice(name="standard"), {}, {}, VLLM, where)


def test_stages_through_vllm_are_others_and_depend_on_its_version(
    planner: Planner, tiny: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny["sampling"]["engine"] = "vllm"
    own = planner.sample(planner.config.policies[0], "test", seed=0)
    theirs = Planner(GameConfig.model_validate(tiny)).sample(planner.config.policies[0], "test", seed=0)
    assert (own.uses_vllm, theirs.uses_vllm) == (False, True)
    keys = set()
    for version in ("0.32.0", "0.32.1"):
        monkeypatch.setattr("distillgame.arena.stages.base.vllm_version", lambda version=version: {"vllm": version})
        for stage in (own, theirs):
            stage.known_keys.clear()
            keys.add(stage.key("cpu"))
    assert len(keys) == 3


def _gradients(planner: Planner, policy: PolicyChoice) -> list[Stage]:
    return list(planner.sample(policy, "test", seed=0).gradients.values())
