"""The bench of vLLM: turns, costs and tables; a stand-in answers instead of engines."""

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoConfig

from distillgame.arena.bench import through_vllm, vllm_server
from distillgame.arena.bench.through_vllm import VllmPlan, bench_vllm
from distillgame.errors import DistillgameError
from distillgame.models import load_without_weights

SECONDS = {"vllm": 2.0, "defended": 3.0, "vllm, drafts": 1.0, "defended, drafts": 1.5}
PLAN = VllmPlan(batches=(1, 32), repetitions=3, length=10)


class StandIn:
    """Answers with seconds that depend on the engine and, for the gap equilibrium, on the turn."""

    asked: list[tuple[str, dict[str, Any]]] = []  # noqa: RUF012  (each test has its own)

    def __init__(self, name: str, launch: Mapping[str, Any]):
        self.name, self.turns = name, 0
        StandIn.asked.append((name, dict(launch)))

    def ask(self, line: Mapping[str, Any]) -> str:
        StandIn.asked.append((self.name, dict(line)))
        self.turns += line["policy"] == "equilibrium_gap"
        slower = self.turns % 2 if line["policy"] == "equilibrium_gap" else 0
        return str(SECONDS[self.name] + slower)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    @contextmanager
    def serving(name: str, launch: Mapping[str, Any]) -> Iterator[StandIn]:
        yield StandIn(name, launch)

    monkeypatch.setattr(through_vllm, "serving", serving)
    monkeypatch.setattr(through_vllm, "require_device", lambda device: None)
    monkeypatch.setattr(StandIn, "asked", [])
    return StandIn.asked


def test_costs_are_relative_to_vllm_as_it_is_in_the_same_turn(
    tmp_path: Path, asked: list[tuple[str, dict[str, Any]]]
) -> None:
    result = bench_vllm(tmp_path, PLAN, "cpu")
    rows = {(r["pair"][:8], r["engine"], r["policy"], r["batch"], r["temperature"]): r for r in result["rows"]}
    assert len(rows) == len(result["rows"]) == 2 * (4 + 5 + 4)
    assert rows["embedded", "defended", "poe", 1, 0.6]["cost"] == 1.5
    assert rows["embedded", "vllm", "standard", 32, 0.6]["tokens_per_second"] == 32 * 10 / 2
    assert rows["embedded", "defended, drafts", "poe", 1, 0.0]["cost"] == 0.75
    # After the turn that warms up, it takes 3, 4 and 3 seconds.
    gap = rows["embedded", "defended", "equilibrium_gap", 1, 0.6]
    assert (gap["cost"], gap["cost_min"], gap["cost_max"]) == (1.5, 1.5, 2.0)
    # Random weights would refuse every draft.
    assert not any("drafts" in engine for pair, engine, *_ in rows if pair.startswith("shaped"))
    assert json.loads((tmp_path / "bench.vllm.json").read_text()) == json.loads(json.dumps(result))
    table = (tmp_path / "bench.vllm.md").read_text()
    assert "| defended | 0.6 | poe | 1 | 3 | 1.50 |" in table
    assert "| defended | 0.6 | equilibrium_gap | 1 | 3 | 1.50 (1.50 to 2.00) |" in table


def test_cases_take_turns_and_large_batches_fewer(tmp_path: Path, asked: list[tuple[str, dict[str, Any]]]) -> None:
    bench_vllm(tmp_path, PLAN, "cpu")
    order = [(name, line["policy"], line["count"]) for name, line in asked if "policy" in line][: 4 * (4 + 3)]
    cases = [("vllm", "standard"), *(("defended", policy) for policy in ("standard", "poe", "equilibrium_gap"))]
    assert order == [(*case, batch) for batch, turns in ((1, 4), (32, 3)) for _ in range(turns) for case in cases]
    launches = [(name, line) for name, line in asked if "arguments" in line]
    assert [name for name, _ in launches[:5]] == ["vllm", "defended", "vllm", "vllm, drafts", "defended, drafts"]
    for name, launch in launches:
        assert (launch["proxies"] is None) == name.startswith("vllm")
        assert ("speculative_config" in launch["arguments"]) == name.endswith("drafts")
        assert launch["arguments"]["max_num_seqs"] == 32


def test_the_draft_model_and_the_shapes_can_be_loaded(
    tmp_path: Path, asked: list[tuple[str, dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Heads of 28 dimensions, padded to 32; a shape has a configuration and a tokenizer."""
    pairs = through_vllm._pairs(tmp_path, "cpu")
    config = AutoConfig.from_pretrained(tmp_path / "draft")
    assert config.head_dim == 32
    weights = load_file(tmp_path / "draft" / "model.safetensors")
    assert weights["model.layers.0.self_attn.q_proj.weight"].shape[0] == 32 * config.num_attention_heads
    assert all(tensor.dtype in (torch.float16, torch.float32) for tensor in weights.values())
    for folder in (pairs[0].draft, pairs[1].teacher, pairs[1].proxy):
        assert load_without_weights(str(folder)).tokenizer is not None


def test_an_engine_that_ends_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The last error of its log, not what its libraries print after it."""
    (tmp_path / "broken.py").write_text(
        "import sys\nprint('Traceback', file=sys.stderr)\nprint('ValueError: no room', file=sys.stderr)\n"
        "print('leaked something', file=sys.stderr)\nsys.exit(3)\n"
    )
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{':'.join(filter(None, sys.path))}")
    monkeypatch.setattr(vllm_server, "__name__", "broken")
    said = pytest.raises(DistillgameError, match=r"vLLM \(defended\) ended with status 3: ValueError: no room$")
    with said, vllm_server.serving("defended", {}):
        raise AssertionError("it did not start")
