"""A game whose teacher, proxies and students are sampled through vLLM: the same traces as with our own engine."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from distillgame.arena.calibrate.budgets import KLBudget
from distillgame.arena.calibrate.policy import calibrate_policy
from distillgame.arena.config import GameConfig
from distillgame.arena.plan import Planner
from distillgame.arena.plan.targets import DefenseTarget
from distillgame.arena.run import Run
from distillgame.arena.stages import TRACES, SampleStage
from distillgame.policies import PolicyChoice
from distillgame.records import Trace, read_traces, write_traces

from .conftest import environment

GAME: dict[str, Any] = {
    "task": {"leg_counting": {"train": 200, "test": 60}},
    "splits": {"train": 16, "holdout": 8, "defender": 8, "test": 18},
    "seeds": [0, 1],
    "teacher": "embedded:teacher",
    "proxy": "embedded:proxy",
    "student": "embedded:student",
    "policies": ["standard", {"poe": {"gamma": 0.5}}, {"ads": {"lambda": 0.2}}, {"permutation": {"lambda": 0.2}}],
    "students": ["passive"],
    "sampling": {"temperature": 0, "max_new_tokens": 60, "forced_answer_tokens": 4, "batch_size": 2},
    "evaluation": {"temperature": 0, "max_new_tokens": 60, "batch_size": 16},
    "training": {"epochs": 1, "batch_size": 8, "max_length": 200},
    "compute": {"workers": 1, "device": "cpu", "keep_students": True},
}
VLLM = {"vllm": {"max_model_len": 512}}


def games(**changes: Any) -> dict[str, GameConfig]:
    """Return the game with either engine."""
    plain = GameConfig.model_validate(GAME | changes)
    every = {name: {**dict(GAME | changes)[name], "engine": VLLM} for name in ("sampling", "evaluation")}
    return {"own": plain, "vllm": GameConfig.model_validate(GAME | changes | every)}


def sampled(root: Path, config: GameConfig, stages: list[SampleStage]) -> list[list[Trace]]:
    with Run(root, config, progress=False) as run:
        run.compute(stages)
        return [list(read_traces(run.folder(stage) / TRACES)) for stage in stages]


def require_equal(ours: list[Trace], theirs: list[Trace]) -> None:
    for one, other in zip(ours, theirs, strict=True):
        assert one.token_ids == other.token_ids
        assert one.messages == other.messages
        assert (one.finish_reason, one.correct, one.extracted) == (other.finish_reason, other.correct, other.extracted)
        assert (one.prompt_tokens, one.forced_tokens) == (other.prompt_tokens, other.forced_tokens)
        for name in ("token_logprob_released", "token_logprob_reference"):
            assert getattr(other, name) == pytest.approx(getattr(one, name), rel=1e-3, abs=2e-3)


def test_traces_of_every_policy_are_those_of_our_own_engine(tmp_path: Path) -> None:
    """Greedy completions, in several shards, forced answers included; permutations are drawn alike."""
    found = {}
    for name, config in games(sampling=GAME["sampling"] | {"max_new_tokens": 30}).items():
        planner = Planner(config)
        found[name] = sampled(tmp_path, config, [planner.sample(each, "test", seed=0) for each in config.policies])
    for ours, theirs in zip(found["own"], found["vllm"], strict=True):
        require_equal(ours, theirs)
        assert any(trace.forced_tokens for trace in ours)
    # Nobody reads along where no policy needs it; what a draft had proposed, vLLM does not say.
    assert found["vllm"][0][0].token_logprob_proxy is None
    assert found["vllm"][1][0].accepted_tokens is None


def test_measures_are_written_at_a_temperature(tmp_path: Path) -> None:
    """KL in both directions, the proxy's log-probability, the gap, and exposed log-probabilities."""
    config = games(sampling=GAME["sampling"] | {"temperature": 0.6, "batch_size": 24})["vllm"]
    planner = Planner(config)
    stages = [planner.sample(config.policies[1], "test", seed, exposed=3) for seed in (0, 1)]
    first, second = sampled(tmp_path, config, stages)
    for trace in first:
        assert trace.kl is not None
        assert trace.kl > 0
        assert trace.kl == pytest.approx(sum(trace.token_kl or []))
        assert trace.kl_reverse is not None
        assert trace.logprob_proxy is not None
        assert trace.v_gap == pytest.approx(trace.logprob_reference - trace.logprob_proxy)
        assert all(len(ids) == 3 for ids in trace.token_top_ids or [])
    assert [trace.token_ids for trace in first] != [trace.token_ids for trace in second]


def test_a_budget_of_kl_has_the_strength_that_our_own_engine_finds(tmp_path: Path) -> None:
    """Eight problems, the same for both, whose KL vLLM measures; twice that KL is a strength of .30, not .38."""
    changes = {
        "splits": GAME["splits"] | {"validation": 16},
        "sampling": GAME["sampling"] | {"temperature": 0.6, "batch_size": 8},
    }
    found = {
        name: calibrate_policy(config, PolicyChoice(name="poe"), KLBudget(0.5), tmp_path / name, 8, 8, progress=False)
        for name, config in games(**changes).items()
    }
    for result in found.values():
        assert result.pilot.value == pytest.approx(0.5, rel=0.1)
    ours, theirs = (float(result.choice.options["gamma"]) for result in found.values())
    assert theirs == pytest.approx(ours, rel=0.1)
    paths = (tmp_path / "vllm" / "stages").glob(f"*poe-gamma-{theirs:g}-*/{TRACES}")
    (traces,) = (traces for path in paths if (traces := read_traces(path))[0].seed == 0)
    assert result.pilot.value == pytest.approx(sum(trace.kl or 0 for trace in traces) / 8)
    # Our own engine would say how many tokens of a draft it took.
    assert {trace.accepted_tokens for trace in traces} == {None}


@pytest.mark.parametrize("lora", [None, {"rank": 4, "alpha": 64}])
def test_trained_students_answer_as_in_our_own_engine(tmp_path: Path, lora: dict[str, int] | None) -> None:
    """Students that were trained whole, and adapters of one base, two of them in one process with vLLM."""
    training = GAME["training"] | {"lora": lora, "learning_rate": 1e-3 if lora is None else 0.02}
    # The embedded students have heads so small that they are padded, which adapters do not fit.
    base = "embedded:student" if lora is None else "embedded:teacher"
    found = {}
    for name, config in games(training=training, student=base).items():
        planner = Planner(config)
        target, choice = DefenseTarget.of(config.policies[0]), config.students[0]
        # Both learn from the same traces.
        teacher = Planner(games(training=training, student=base)["own"])
        stages = [
            planner.evaluate(target, choice, "test", seed).model_copy(
                update={"trained": teacher.distill(target, choice, seed)}
            )
            for seed in ((0, 1) if lora else (0,))
        ]
        found[name] = sampled(tmp_path, config, stages)
    for ours, theirs in zip(found["own"], found["vllm"], strict=True):
        require_equal(ours, theirs)
    if lora:
        assert [trace.token_ids for trace in found["own"][0]] != [trace.token_ids for trace in found["own"][1]]


def test_a_killed_game_leaves_no_process_and_goes_on_where_it_was(tmp_path: Path) -> None:
    sampling = GAME["sampling"] | {"engine": VLLM}
    game = GAME | {"policies": ["standard"], "sampling": sampling, "splits": GAME["splits"] | {"train": 48}}
    (tmp_path / "game.yaml").write_text(yaml.safe_dump(game))
    with playing(tmp_path) as running:
        shards = wait_for(running, tmp_path, "*.partial/shard-*.parquet")
        assert _processes(tmp_path)
        os.kill(running.pid, signal.SIGKILL)
    for path in shards:  # Marked, to be told from shards that are sampled again.
        write_traces(path, [replace(trace, extracted="kept") for trace in read_traces(path)])
    kept = sum(len(read_traces(path)) for path in shards)
    deadline = time.monotonic() + 60
    while _processes(tmp_path):
        assert time.monotonic() < deadline, "vLLM outlives the game"
        time.sleep(0.2)
    with playing(tmp_path) as running:
        # The stage's folder loses the end of its name, .partial, once the stage is finished.
        (finished,) = wait_for(running, tmp_path, f"*train*[0-9a-f]/{TRACES}")
    traces = read_traces(finished)
    assert len(traces) == 48
    assert [trace.extracted == "kept" for trace in traces] == [True] * kept + [False] * (48 - kept)
    assert 0 < kept < 48


@contextmanager
def playing(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Play the game in a folder until the context ends."""
    command = [sys.executable, "-m", "distillgame", "play", str(folder / "game.yaml"), "--out", str(folder / "run")]
    with (folder / "log").open("w") as log:
        running = subprocess.Popen(command, stdout=log, stderr=log, env=environment())
        try:
            yield running
        finally:
            running.kill()
            running.wait()


def wait_for(running: subprocess.Popen[bytes], folder: Path, pattern: str) -> list[Path]:
    """Return the files of a game's stages that match a pattern, once there is one."""
    deadline = time.monotonic() + 300
    while not (found := sorted((folder / "run" / "stages").glob(pattern))):
        assert running.poll() is None, (folder / "log").read_text()
        assert time.monotonic() < deadline, (folder / "log").read_text()
        time.sleep(0.02)
    return found


def _processes(folder: Path) -> list[str]:
    """Return the processes with vLLM whose log lies in a folder."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            command = (place / "cmdline").read_bytes()
            errors = os.readlink(place / "fd" / "2")
        except OSError:
            continue
        if b"distillgame.vllm.process" in command and errors.startswith(str(folder)):
            found.append(place.name)
    return found
