"""Labelled completions: each stands for a kind of answer that graders have got wrong."""

import json
from pathlib import Path
from typing import Any

import pytest

from distillgame.tasks import grade

_DATA = Path(__file__).parent / "data"
CASES: list[dict[str, Any]] = [
    json.loads(line)
    for name in ("cases.jsonl", "neighbours.jsonl")
    for line in (_DATA / name).read_text(encoding="utf-8").splitlines()
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: ascii(case["completion"])[:60])
def test_the_verdict_is_the_labelled_one(case: dict[str, Any]) -> None:
    assert grade(case["completion"], case["solution"], time_limit=2).correct == case["correct"]
