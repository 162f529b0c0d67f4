import json
from pathlib import Path
from typing import Any

import pytest

from distillgame import play
from distillgame.arena import load_config
from distillgame.arena import precision as settling
from distillgame.arena.plan import Planner
from distillgame.arena.precision import settled
from distillgame.arena.run import Run
from distillgame.arena.stages.sampling import precision as stage
from distillgame.decoding import NetworkTiming
from distillgame.models import load_model


@pytest.fixture
def halves(tiny: dict[str, Any], tmp_path: Path) -> dict[str, Any]:
    """The tiny game with teacher and proxy stored in bfloat16."""
    for name in ("teacher", "proxy"):
        model = load_model(f"embedded:{name}")
        model.model.bfloat16().save_pretrained(tmp_path / name)
        model.tokenizer.save_pretrained(tmp_path / name)
        tiny[name] = str(tmp_path / name)
    return tiny


def fixed(monkeypatch: pytest.MonkeyPatch, **chosen: str) -> list[int]:
    """Let the timings come out in a given way; return the list of the calls."""
    calls: list[int] = []

    def settle(*_: Any) -> dict[str, NetworkTiming]:
        calls.append(1)
        return {
            name: NetworkTiming(rows=4, speculative=False, seconds={"float32": [2.0], "bfloat16": [1.0]}, chosen=each)
            for name, each in chosen.items()
        }

    monkeypatch.setattr(stage, "settle_precisions", settle)
    return calls


class Inline(Run):
    """Runs stages in this process, where they can be replaced."""

    def compute(self, stages: Any, last: bool = False) -> None:
        for each in stages:
            if not self.store.has(each):
                self.store.run(each, lambda done, total: None)


def test_the_choice_is_measured_once_and_becomes_part_of_the_stages(
    halves: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settling, "Run", Inline)
    config = load_config(halves)
    calls = fixed(monkeypatch, teacher="bfloat16", proxy="float32")
    first = settled(config, tmp_path / "run", progress=False)
    assert (first.teacher.dtype, first.proxy and first.proxy.dtype) == ("bfloat16", "auto")
    fixed(monkeypatch, teacher="float32", proxy="bfloat16")
    assert settled(config, tmp_path / "run", progress=False) == first
    assert len(calls) == 1
    policy = config.policies[1]
    before, after = (Planner(c).sample(policy, "train", 0).key("cpu") for c in (config, first))
    assert before != after
    (recorded,) = (tmp_path / "run" / "stages").glob("time-precisions-*/precision.json")
    assert json.loads(recorded.read_text())["teacher"]["chosen"] == "bfloat16"


def test_a_game_in_which_nothing_is_open_stays_as_it_is(tiny: dict[str, Any], tmp_path: Path) -> None:
    config = load_config(tiny)
    assert settled(config, tmp_path / "run") is config
    assert not (tmp_path / "run").exists()


def test_a_game_runs_in_the_precision_that_it_records(halves: dict[str, Any], tmp_path: Path) -> None:
    overrides = {"policies": ["standard"], "students": ["untrained"], "seeds": [0], "cost.repetitions": 1}
    play(halves, tmp_path / "run", overrides=overrides, progress=False)
    (recorded,) = (tmp_path / "run" / "stages").glob("time-precisions-*/precision.json")
    chosen = json.loads(recorded.read_text())["teacher"]["chosen"]
    specs = [
        json.loads(path.read_text())["spec"]["model"]["spec"]
        for path in (tmp_path / "run" / "stages").glob("sample-standard-*/stage.json")
    ]
    dtypes = {spec["dtype"] for spec in specs if spec["source"] == halves["teacher"]}
    assert dtypes == {"bfloat16" if chosen == "bfloat16" else "auto"}
