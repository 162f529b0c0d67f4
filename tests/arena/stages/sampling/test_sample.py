from pathlib import Path
from typing import Any

import yaml

from distillgame.arena import load_config
from distillgame.arena.one_stage import sample_split
from distillgame.decoding import Calibration
from distillgame.policies import PolicyChoice
from distillgame.records import Trace, read_traces
from tests.arena.conftest import TINY


def sampled(tmp_path: Path, **overrides: Any) -> tuple[Path, list[Trace]]:
    config = tmp_path / "tiny.yaml"
    config.write_text(yaml.safe_dump(TINY))
    game = load_config(str(config), overrides=overrides)
    path = sample_split(game, PolicyChoice(name="poe", options={"gamma": 0.5}), "test", 0, tmp_path / "run", False).path
    return path, read_traces(path)


def test_a_speculating_stage_has_the_same_traces_and_records_what_passes_cost(tmp_path: Path) -> None:
    plain, expected = sampled(tmp_path)
    speculative, traces = sampled(tmp_path, **{"sampling.speculative": True})
    assert plain != speculative
    assert [trace.token_ids for trace in traces] == [trace.token_ids for trace in expected]
    assert [trace.accepted_tokens for trace in traces] == [trace.accepted_tokens for trace in expected]
    assert Calibration.load(speculative.parent / "calibration.json").teacher
    assert not (plain.parent / "calibration.json").exists()


def test_traces_hold_the_sums_of_what_was_measured_by_token(tmp_path: Path) -> None:
    for trace in sampled(tmp_path)[1]:
        for whole, parts in (
            (trace.kl, trace.token_kl),
            (trace.kl_reverse, trace.token_kl_reverse),
            (trace.logprob_proxy, trace.token_logprob_proxy),
            (trace.v_gap, trace.token_v_gap),
        ):
            assert whole is not None
            assert parts is not None
            assert len(parts) == trace.sampled_tokens
            assert abs(whole - sum(parts)) < 1e-3


def test_the_summary_says_whose_mark_it_is_and_of_which_epoch(tmp_path: Path) -> None:
    """The test of a key has to be told the epoch, which the seed moves."""
    keyed = PolicyChoice(name="keyed", options={"width": 2, "owner": "alice", "epoch": 4})
    summary = str(sample_split(load_config(TINY), keyed, "test", 3, tmp_path, False))
    assert summary.endswith(", marked for 'alice' in epoch 7")
    plain = sample_split(load_config(TINY), PolicyChoice(name="standard"), "test", 3, tmp_path, False)
    assert "marked" not in str(plain)
