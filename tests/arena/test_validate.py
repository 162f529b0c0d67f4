"""Compositions race on the validation split, and the winner is played on test."""

from pathlib import Path
from typing import Any

import pytest

import distillgame
from distillgame.arena import load_config
from distillgame.errors import DistillgameError

STUDENTS = ["passive", "verified", {"filter": {"share": 0.5}}, {"adaptive": {"eta": 2}}]


def test_the_winner_of_the_race_stands_in_the_table(tiny: dict[str, Any], tmp_path: Path) -> None:
    tiny |= {"seeds": [0], "policies": ["standard"], "students": STUDENTS, "search": {"trainings": 6}}
    results = distillgame.play(tiny, tmp_path, progress=False)
    (composed,) = [row for row in results.students if row.student == "composed"]
    assert composed.settings.keys() == {"first", "then"}
    assert composed.threat_model.queries == 24
    assert composed.suite == "custom"
    # Four alone, and three, two and one in the race.
    assert {row.tried for row in results.students} == {10}
    best = max(row.validation or 0 for row in results.students)
    (strongest,) = [row for row in results.students if row.strongest]
    assert strongest.validation == best
    folders = [path.name for path in (tmp_path / "stages").iterdir()]
    raced = [name for name in folders if name.startswith("distill-composed")]
    assert [sum(f"from-{queries}-of" in name for name in raced) for queries in (6, 12, 24)] == [3, 2, 1]
    assert not any("composed" in name and "-test-" in name and "from-24" not in name for name in folders)


def test_a_race_needs_a_validation_split(tiny: dict[str, Any]) -> None:
    del tiny["splits"]["validation"]
    with pytest.raises(DistillgameError, match=r"splits\.validation: compositions are compared there"):
        load_config(tiny | {"search": {"trainings": 6}})
