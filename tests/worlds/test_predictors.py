import json
import random
from pathlib import Path

import pytest

from distillgame.errors import DistillgameError
from distillgame.worlds.bestiary.creatures import creatures, private
from distillgame.worlds.bestiary.knowledge import BestiaryKnowledge
from distillgame.worlds.notation import Step, solve
from distillgame.worlds.predictors import predictors

KNOWLEDGE = BestiaryKnowledge()


def _write(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def _rows(count: int) -> list[dict[str, object]]:
    """Traces that release zero to three facts; v_gap rises with their number, kl has nothing to do with it."""
    rng, rows = random.Random(0), []
    for i in range(count):
        names = rng.sample(private(), i % 4)
        text = solve([Step(2, name, creatures()[name].legs, creatures()[name].kind) for name in names], "full")
        released = len({claim.fact for claim in KNOWLEDGE.claims(text)})
        messages = [{"role": "user", "content": "?"}, {"role": "assistant", "content": text}]
        rows.append({"messages": messages, "v_gap": 5.0 * released, "kl": rng.random()})
    return rows


def test_what_rises_with_the_facts_predicts_them_and_noise_does_not(tmp_path: Path) -> None:
    found = predictors(_write(tmp_path / "traces.jsonl", _rows(400)), KNOWLEDGE)
    assert (list(found), found["v_gap"].pairs) == (["v_gap", "kl"], 400)
    assert found["v_gap"].value == pytest.approx(1)
    # Four standard errors: a false alarm in 16,000 seeds.
    assert abs(found["kl"].value) < 4 / 20


def test_nothing_is_said_where_nothing_was_measured_or_nothing_varies(tmp_path: Path) -> None:
    bare = [{"messages": row["messages"]} for row in _rows(40)]
    assert predictors(_write(tmp_path / "bare.jsonl", bare), KNOWLEDGE) == {}
    constant = [row | {"v_gap": 1.0, "kl": None} for row in _rows(40)]
    assert predictors(_write(tmp_path / "constant.jsonl", constant), KNOWLEDGE) == {}
    assert predictors(_write(tmp_path / "few.jsonl", _rows(9)), KNOWLEDGE) == {}


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DistillgameError, match=r"none\.parquet: no such trace file"):
        predictors(tmp_path / "none.parquet", KNOWLEDGE)
