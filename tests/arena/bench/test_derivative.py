import json
from pathlib import Path

import pytest

from distillgame.arena import load_config
from distillgame.arena.bench.derivative import compare_derivatives
from distillgame.errors import DistillgameError


def test_the_ways_to_derive_agree_as_far_as_precision_allows(tmp_path: Path) -> None:
    """The field's figure: in float32 there is a step where differences are exact, in bfloat16 there is none."""
    config = load_config(None, overrides={"splits.defender": 24, "defender.objective": "reference"})
    rows = compare_derivatives(config, tmp_path, traces=2)
    errors = {(r.method, r.dtype, r.step, r.dropped): r.relative_error for r in rows}
    assert errors["jvp", "float32", None, None] < 1e-4
    single = [e for (method, dtype, *_), e in errors.items() if (method, dtype) == ("central", "float32")]
    half = [e for (method, dtype, *_), e in errors.items() if (method, dtype) == ("central", "bfloat16")]
    assert min(single) < 2e-3
    assert min(half) > 0.05
    assert errors["low_rank", "float32", 3e-3, 0.0] < 5e-3
    dropped = [
        e for (method, _, step, d), e in sorted(errors.items(), key=str) if method == "low_rank" and step == 3e-3
    ]
    assert max(dropped) < 0.5
    assert all(r.cosine > 0.99 for r in rows if r.relative_error < 0.05)
    written = json.loads((tmp_path / "derivative.json").read_text())
    assert len(written["rows"]) == len(rows)
    assert "| low rank | float32 | 0.003 | 0 |" in (tmp_path / "derivative.md").read_text()
    assert (tmp_path / "derivative.png").stat().st_size > 10_000


def test_without_a_proxy_there_is_nothing_to_derive(tmp_path: Path) -> None:
    config = load_config(None, overrides={"proxy": None, "policies": ["standard"], "tuning": {}})
    with pytest.raises(DistillgameError, match="has no proxy"):
        compare_derivatives(config, tmp_path)
