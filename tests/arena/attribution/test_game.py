from pathlib import Path
from typing import Any

import pytest

from distillgame.arena import load_config
from distillgame.arena.attribution import RESULTS, play_attribution
from distillgame.arena.attribution.trial import make_trial
from distillgame.errors import DistillgameError
from distillgame.policies import Defense
from distillgame.records import read_judged
from distillgame.records.suspects import SuspectResults
from distillgame.report.tables import suspect_lines

SUSPECTS = [
    {"name": "passive"},
    {"name": "half", "share": 0.5},
    {"name": "framing", "framed": 0.25},
    {"name": "three", "owners": 3, "set": {"attribution.evidence": ["samples"]}},
    {"name": "untrained", "student": "untrained"},
]


def test_every_suspect_is_made_and_tested(tiny: dict[str, Any], tmp_path: Path) -> None:
    tiny |= {
        "policies": ["standard", {"keyed": {"width": 2}}, {"fingerprint": {"width": 1, "lambda": 0.5}}],
        "seeds": [0],
        "attribution": {"keys": 4, "suspects": SUSPECTS},
    }
    results = play_attribution(load_config(tiny), tmp_path, progress=False)
    assert [mark.policy for mark in results.marks] == ["standard", "keyed width=2", "fingerprint width=1 lambda=0.5"]
    assert results.marks[0].kl_per_trace == results.marks[1].kl_per_trace == 0
    assert results.marks[2].kl_per_trace > 0
    rows = {(row.policy, row.suspect, row.evidence): row for row in results.suspects}
    assert len(rows) == 2 * (4 * 3 + 1)
    assert rows["keyed width=2", "three", "samples"].tests == 1
    assert rows["keyed width=2", "framing", "released"].tests == 2
    assert rows["keyed width=2", "untrained", "held_out"].tests == 3
    assert all(0 < p <= 1 for row in results.suspects for p in row.p_values)
    assert SuspectResults.model_validate_json((tmp_path / RESULTS).read_text()) == results
    lines = suspect_lines(results)
    assert sum(line.startswith("| keyed width=2 |") for line in lines) == 1 + 13
    alarms = sum(row.false_alarms[0] for row in results.suspects)
    assert lines[-1].startswith(f"Of {sum(row.tests for row in results.suspects)} keys of uninvolved owners: {alarms} ")


def test_judges_read_what_every_policy_releases_and_change_nothing_else(tiny: dict[str, Any], tmp_path: Path) -> None:
    tiny |= {
        "policies": ["standard", {"watermark": {"width": 1, "delta": 15.0}}],
        "seeds": [0],
        "attribution": {"keys": 3, "evidence": ["held_out"], "suspects": SUSPECTS[-1:]},
    }
    plain = play_attribution(load_config(tiny), tmp_path, progress=False)
    assert "legible" not in suspect_lines(plain)[0]
    stages = set((tmp_path / "stages").iterdir())
    few = {"judge": {"judges": ["checked"], "problems": 8, "anchors": 2, "repeats": 1}}
    results = play_attribution(load_config(tiny | few), tmp_path, progress=False)
    (added,) = set((tmp_path / "stages").iterdir()) - stages
    judged = read_judged(added / "judged.json")
    for mark, before in zip(results.marks, plain.marks, strict=True):
        own = [each.scores["auditability"] for each in judged if (each.role, each.defense) == ("trace", mark.policy)]
        found = mark.auditability["checked"]
        assert found.n == len(own) == 8
        assert found.mean == pytest.approx(sum(own) / 8)
        assert found.interval.low <= found.mean <= found.interval.high
        assert mark.model_copy(update={"auditability": {}}) == before
    scores = [mark.auditability["checked"].mean for mark in results.marks]
    assert scores[0] > scores[1] + 0.5
    assert results.suspects == plain.suspects
    lines = suspect_lines(results)
    assert lines[0] == "| policy | teacher | KL | bits per trace | legible (checked) |"
    assert [line.split(" | ")[-1].split(" ± ")[0] for line in lines[2:4]] == [f"{score:.2f}" for score in scores]


def test_the_keys_are_those_of_the_seed_and_strangers_are_never_tested_twice(tiny: dict[str, Any]) -> None:
    config = load_config(tiny | {"attribution": {"suspects": SUSPECTS}})
    strangers = []
    for name in ("keyed", "fingerprint"):
        defense = Defense(name=name, options={"width": 2, "epoch": 3} | ({"lambda": 0.5} if name != "keyed" else {}))
        for suspect in config.attribution.suspects:
            for seed in (0, 2):
                trial = make_trial(config, defense, suspect, seed)
                for kind, read in trial.readings.items():
                    keys = trial.keys(6, kind)
                    mixed = [owner for owner in ("owner 2", "owner 3") if owner in trial.readings.get("released", {})]
                    strangers += [each.key for each in keys if each.owner.startswith("stranger")]
                    assert [each.epoch for each in keys] == [3 + seed] * 6
                    if kind == "released":
                        texts: Any = read[None].texts
                        marked = getattr(texts, "traces", texts).policy.policy
                        assert keys[0].secret == marked.marking.key
                        assert [each.owner for each in keys[1 : 1 + len(mixed)]] == mixed
    assert len(strangers) > 200
    assert len(set(strangers)) == len(strangers)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"attribution": {"keys": 4}}, "names none"),
        ({"policies": ["standard"]}, "none leaves a mark"),
        ({"attribution": {"suspects": [SUSPECTS[0], SUSPECTS[0]]}}, "'passive' is listed twice"),
        ({"attribution": {"suspects": [{"name": "x", "share": 0.5, "owners": 2}]}}, "mixed in one way"),
        ({"attribution": {"suspects": [{"name": "x", "share": 0}]}}, "share"),
        ({"attribution": {"evidence": ["hearsay"]}}, "evidence"),
        ({"attribution": {"suspects": [{"name": "x", "share": 0.005}]}}, "whole percents"),
        ({"attribution": {"suspects": [{"name": "x", "set": {"seeds": [1]}}]}}, "'seeds' is the whole game's"),
        ({"attribution": {"suspects": [{"name": "x", "queries": 999}]}}, "asks for 999 traces of 24"),
        ({"attribution": {"suspects": [{"name": "x", "framed": 0.01}]}}, "of 24 traces, none is left"),
        (
            {"attribution": {"suspects": [{"name": "x", "share": 0.5, "student": {"best_of_k": {"k": 2}}}]}},
            "several draws of a prompt",
        ),
        (
            {
                "policies": [{"keyed": {"owner": "owner 2"}}],
                "attribution": {"suspects": [{"name": "x", "framed": 0.3}]},
            },
            "is there twice",
        ),
        ({"attribution": {"keys": 3, "suspects": [{"name": "x", "owners": 3}]}}, "3 leave no stranger beside the 3"),
        ({"seeds": [0, -1]}, "seeds: -1: 'keyed width=2' marks in epoch -1"),
        ({"sampling": {"temperature": 0, "max_new_tokens": 80}}, "greedy text carries no mark"),
    ],
)
def test_bad_games_are_refused(tiny: dict[str, Any], tmp_path: Path, change: dict[str, Any], said: str) -> None:
    base = tiny | {"policies": [{"keyed": {"width": 2}}], "attribution": {"suspects": SUSPECTS[:1]}}
    with pytest.raises(DistillgameError, match=said):
        play_attribution(load_config(base | change), tmp_path, progress=False)
