"""A sweep: strengths and numbers of queries, the strongest of each, and a kill in between."""

import time
from pathlib import Path
from typing import Any

import pytest
import yaml

import distillgame
from distillgame.records import Results, read_results
from tests.processes import Command

GRID: dict[str, Any] = {
    "policies": ["standard", {"poe": {"gamma": 0.5}}],
    "students": ["untrained", "passive", {"filter": {"share": 0.5}}],
    "seeds": [0],
    "splits": {"train": 16, "holdout": 8, "defender": 4, "validation": 8, "test": 8},
    "cost": {"prompts": 1, "repetitions": 1},
    "sweep": {"strengths": {"poe": {"gamma": [0.3]}}, "queries": [6, 16]},
}


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Results]:
    from tests.arena.conftest import TINY

    out = tmp_path_factory.mktemp("sweep")
    return out, distillgame.sweep(TINY | GRID, out, progress=False)


def test_every_strength_and_number_of_queries_has_its_strongest_student(swept: tuple[Path, Results]) -> None:
    results = swept[1]
    assert [row.defense for row in results.teachers] == ["standard", "poe gamma=0.3", "poe gamma=0.5"]
    for teacher in results.teachers:
        for queries in (6, 16):
            rows = [row for row in results.of(teacher) if row.threat_model.queries == queries]
            assert {row.student for row in rows} == {"passive", "filter"}
            assert sum(row.strongest for row in rows) == 1


def test_queries_are_drawn_where_there_are_several(swept: tuple[Path, Results]) -> None:
    for name in ("frontier", "queries"):
        for suffix in ("png", "svg"):
            assert (swept[0] / f"{name}.{suffix}").stat().st_size > 1000
    assert "queries.png" in (swept[0] / "summary.md").read_text()


def test_a_sweep_that_was_killed_goes_on_and_ends_with_the_same_rows(
    swept: tuple[Path, Results], tmp_path: Path
) -> None:
    from tests.arena.conftest import TINY

    config = tmp_path / "grid.yaml"
    config.write_text(yaml.safe_dump(TINY | GRID | {"policies": [{"poe": {"gamma": 0.5}}]}))
    command = ["sweep", str(config), "--out", str(tmp_path / "run")]
    process = Command(command, tmp_path / "log")
    while process.poll() is None and len(list((tmp_path / "run" / "stages").glob("distill*/stage.json"))) < 2:
        time.sleep(0.2)
    process.kill()
    assert not (tmp_path / "run" / "results.json").exists()
    again = Command(command, tmp_path / "log")
    assert again.wait() == 0, again.output()
    assert "stages are finished already" in again.output()
    resumed, whole = read_results(tmp_path / "run" / "results.json"), swept[1]
    defenses = [row.defense for row in resumed.teachers]
    assert defenses == ["poe gamma=0.3", "poe gamma=0.5"]
    for name in defenses:
        assert [(row.student, row.accuracy) for row in resumed.students if row.defense == name] == [
            (row.student, row.accuracy) for row in whole.students if row.defense == name
        ]
    kl = {row.defense: row.kl_per_trace for row in whole.teachers}
    assert [row.kl_per_trace for row in resumed.teachers] == [kl[name] for name in defenses]
