"""Ways to value traces, compared with the measured effect of training on them."""

import json
from pathlib import Path
from typing import Any

import pytest

from distillgame.arena import load_config
from distillgame.arena.values import compare_values
from distillgame.errors import DistillgameError


def test_every_value_of_both_sides_is_ranked_against_the_measured_drop(tiny: dict[str, Any], tmp_path: Path) -> None:
    tiny["policies"] = ["standard", {"poe": {"gamma": 0.5}}, {"standard": {"form": "answer_only"}}]
    rows = compare_values(load_config(tiny), tmp_path, 16, progress=False)
    sides = [("attacker", value) for value in ("grad", "influence", "gap", "length")]
    sides += [("defender", "grad"), ("defender", "influence"), ("defender", "v_gap")]
    released = ["standard", "poe gamma=0.5", "standard form=answer_only"]
    # Of an answer alone the engine measured nothing.
    expected = [
        (defense, *side) for defense in released for side in sides if (defense, side[1]) != (released[2], "v_gap")
    ]
    assert [(row.defense, row.side, row.value) for row in rows] == expected
    assert all(row.traces == 16 for row in rows)
    for row in rows:
        assert row.correlation is not None
        assert row.interval is not None
        assert -1 <= row.interval.low < row.correlation < row.interval.high <= 1
    assert json.loads((tmp_path / "values.json").read_text()) == [row.model_dump() for row in rows]


def test_what_cannot_be_compared_is_said(tiny: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(DistillgameError, match=r"--traces: 25 is not between 1 and splits\.train \(24\)"):
        compare_values(load_config(tiny), tmp_path, 25)
    bare = tiny | {"proxy": None, "policies": ["standard"]}
    with pytest.raises(DistillgameError, match="lacks one"):
        compare_values(load_config(bare), tmp_path, 16)
