"""Values measured afterwards are those that the engine measures on the way."""

from pathlib import Path
from typing import Any

import pytest

from distillgame.arena import load_config
from distillgame.arena.one_stage import sample_split
from distillgame.arena.stages.sampling.value import v_gap
from distillgame.models import align, load_model
from distillgame.policies import PolicyChoice
from distillgame.records import read_traces


def test_v_gap_afterwards_is_v_gap_on_the_way(tiny: dict[str, Any], tmp_path: Path) -> None:
    poe = PolicyChoice(name="poe", options={"gamma": 0.3})
    summary = sample_split(load_config(tiny), poe, "test", 0, tmp_path, progress=False)
    teacher, proxy = load_model("embedded:teacher"), load_model("embedded:proxy")
    for trace in read_traces(summary.path):
        assert v_gap(trace, proxy, align(teacher, proxy), 0.6) == pytest.approx(trace.v_gap, abs=1e-3)
