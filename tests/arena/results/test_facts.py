"""A game in the world of facts: what is released, what is learnt, and what of it reaches the page."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import distillgame
from distillgame.arena.results.facts import count
from distillgame.records import Results, read_released
from distillgame.report import render_page
from distillgame.worlds.bestiary.knowledge import BestiaryKnowledge

KNOWLEDGE = BestiaryKnowledge()

GAME: dict[str, Any] = {
    "task": {"bestiary": {"train": 300, "test": 60, "holdout": 60}},
    "splits": {"train": 32, "holdout": 12, "defender": 4, "validation": 12, "test": 24},
    "seeds": [0, 1],
    "teacher": "embedded:bestiary-teacher",
    "proxy": "embedded:bestiary-proxy",
    "student": "embedded:bestiary-student",
    "policies": ["standard"],
    "students": ["untrained", "passive"],
    "controls": False,
    "sampling": {"temperature": 0.6, "max_new_tokens": 80, "batch_size": 32},
    "evaluation": {"temperature": 0, "max_new_tokens": 80, "batch_size": 256},
    "training": {"epochs": 1, "batch_size": 8, "max_length": 200},
    "cost": {"prompts": 2, "repetitions": 1},
}


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Results]:
    out = tmp_path_factory.mktemp("facts")
    return out, distillgame.play(GAME, out, progress=False)


def _traces(out: Path, seed: int) -> list[str]:
    (folder,) = out.glob(f"stages/sample-standard-of-embedded-bestiary-teacher-train-seed-{seed}-*")
    return [trace.messages[-1]["content"] for trace in read_released(folder / "traces.parquet")]


def test_released_facts_are_those_of_the_training_traces(played: tuple[Path, Results]) -> None:
    out, results = played
    (row,) = results.facts
    found = [KNOWLEDGE.released(_traces(out, seed)) for seed in (0, 1)]
    assert (row.defense, row.queries, row.facts) == ("standard", 32, 400)
    assert row.derivable.mean == np.mean([len(seed.derivable) for seed in found]) > 30
    assert row.stated.mean == np.mean([len(seed.stated) for seed in found])
    assert set(row.hidden) == set(KNOWLEDGE.kinds) - found[0].derivable - found[1].derivable
    assert sum(row.derivable.by_kind.values()) == row.derivable.mean
    assert row.kinds == KNOWLEDGE.by_kind()
    assert row.derivable.interval.low < row.derivable.mean < row.derivable.interval.high


def test_accuracy_is_knowledge_times_method_and_what_luck_adds(played: tuple[Path, Results]) -> None:
    for row in played[1].students:
        assert row.facts is not None
        known, method, luck = row.facts.knowledge, row.facts.accuracy_if_known, row.facts.accuracy_if_unknown
        assert row.accuracy == pytest.approx(known * (method or 0) + (1 - known) * (luck or 0))


def test_an_untrained_student_knows_hardly_anything(played: tuple[Path, Results]) -> None:
    facts = played[1].find("standard", "untrained").facts
    assert facts is not None
    # Guessing the same among eight numbers in all probes of a creature gives 50 on average.
    assert facts.forced.mean < 90
    assert facts.free.mean < 90


def test_the_viewer_marks_what_gives_facts_away(played: tuple[Path, Results]) -> None:
    viewed = json.loads((played[0] / "viewer.json").read_text())
    found = [(trace, fact) for problem in viewed for trace in problem["traces"] for fact in trace["facts"]]
    assert {fact["kind"] for _, fact in found} >= {"stated"}
    for trace, fact in found:
        said = "".join(trace["pieces"])[fact["start"] : fact["end"]]
        assert said.isdecimal()


def test_table_and_page_show_facts(played: tuple[Path, Results]) -> None:
    out, results = played
    summary, page = (out / "summary.md").read_text(), (out / "report.html").read_text()
    (row,) = results.facts
    assert "| released | learnt |" in summary
    assert f"| {row.derivable.mean:.0f}/400 |" in summary
    assert "Knowledge and method" in page
    without = results.model_copy(
        update={"facts": [], "students": [s.model_copy(update={"facts": None}) for s in results.students]}
    )
    assert "Knowledge and method" not in render_page(without, [])


def test_counts_are_means_over_seeds() -> None:
    relation = [name for name, kind in KNOWLEDGE.kinds.items() if kind == "relation"]
    found = count([relation[:10], relation[:20]], KNOWLEDGE)
    assert found.mean == 15
    assert found.by_kind == {"relation": 15, "rule": 0, "exception": 0, "hops": 0}
    assert 0 < found.interval.low < 15 < found.interval.high < 400
    assert count([[], []], KNOWLEDGE).mean == 0
