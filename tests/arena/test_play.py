"""The whole game, small: once straight through, once killed again and again."""

import json
import os
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

import distillgame
from distillgame.errors import DistillgameError
from distillgame.models.spec import EMBEDDED
from distillgame.records import Results, read_released, read_results, read_traces
from tests.processes import Command


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Results]:
    from tests.arena.conftest import TINY

    out = tmp_path_factory.mktemp("game")
    return out, distillgame.play(TINY, out, progress=False)


def test_one_call_writes_everything(played: tuple[Path, Results]) -> None:
    out, results = played
    assert {"results.json", "summary.md", "frontier.png", "config.yaml", "stages"} <= set(os.listdir(out))
    assert read_results(out / "results.json") == results
    assert (out / "frontier.png").read_bytes().startswith(b"\x89PNG")
    assert not list(out.rglob("*.partial"))


def test_results_hold_one_row_for_each_policy_and_student(played: tuple[Path, Results]) -> None:
    data = json.loads((played[0] / "results.json").read_text())
    assert data["schema"] == 2
    assert [(row["policy"], row["strength"]) for row in data["teachers"]] == [
        ("standard", {}),
        ("poe", {"gamma": 0.5}),
        ("ads", {"lambda": 0.2}),
    ]
    assert [(row["defense"], row["student"]) for row in data["students"]] == [
        (defense, student)
        for defense in ("standard", "poe gamma=0.5", "ads lambda=0.2")
        for student in ("passive", "adaptive", "untrained")
    ]
    for row in [*data["teachers"], *data["students"]]:
        assert row["n"] == 16
        assert row["seeds"] == [0, 1]
        assert row["standard_error"] is not None
        assert 0 <= row["finish_rate"] <= 1
    for row in data["teachers"]:
        assert row["kl_per_trace"] >= 0
        assert row["time_cost"] > 0
        assert row["mean_tokens"] > 1
    assert data["teachers"][0]["time_cost"] == 1
    assert data["teachers"][0]["kl_per_trace"] == 0


def test_the_threat_model_stands_on_every_student(played: tuple[Path, Results]) -> None:
    for row in played[1].students:
        trained = row.student != "untrained"
        assert row.threat_model.queries == (24 if trained else 0)
        assert row.threat_model.objective == ("reference" if row.student == "adaptive" else None)
        assert row.control == (not trained)
        assert (row.rho is None) == (not trained)


def test_differences_to_the_passive_student_are_paired(played: tuple[Path, Results]) -> None:
    results = played[1]
    adaptive, passive = results.find("poe", "adaptive"), results.find("poe", "passive")
    assert adaptive.over_passive is not None
    assert adaptive.over_passive.value == pytest.approx(adaptive.accuracy - passive.accuracy)
    assert passive.over_passive is None


def test_the_summary_shows_the_table(played: tuple[Path, Results]) -> None:
    text = (played[0] / "summary.md").read_text()
    assert "| policy | teacher | passive | adaptive | untrained | gain | KL | finished | cost |" in text
    assert "| poe 0.5 |" in text
    assert "released text only (24 traces per seed)" in text


def test_traces_are_graded_and_measured(played: tuple[Path, Results]) -> None:
    paths = sorted((played[0] / "stages").glob("sample-poe*train*/traces.parquet"))
    assert len(paths) == 2
    traces = read_traces(paths[0])
    assert len(traces) == 24
    for trace in traces:
        assert trace.kl is not None
        assert trace.kl == pytest.approx(sum(trace.token_kl or []), abs=1e-4)
        assert len(trace.token_ids) == trace.sampled_tokens
        assert trace.correct == (trace.completion.endswith(f"#### {trace.extracted}") and trace.correct)
    assert read_released(paths[0])[0].messages == traces[0].messages


def test_seeds_give_different_traces(played: tuple[Path, Results]) -> None:
    first, second = sorted((played[0] / "stages").glob("sample-poe*train*/traces.parquet"))
    assert [t.completion for t in read_traces(first)] != [t.completion for t in read_traces(second)]


def test_a_finished_game_is_not_computed_again(played: tuple[Path, Results]) -> None:
    from tests.arena.conftest import TINY

    out, results = played
    before = {path: path.stat().st_mtime_ns for path in (out / "stages").rglob("*")}
    start = time.monotonic()
    again = distillgame.play(TINY, out, progress=False)
    assert time.monotonic() - start < 30
    assert again.model_dump(exclude={"command"}) == results.model_dump(exclude={"command"})
    assert {path: path.stat().st_mtime_ns for path in (out / "stages").rglob("*")} == before


def fingerprints(out: Path) -> dict[str, Any]:
    """File hashes of every stage but the one that measures time."""
    manifests = [json.loads(path.read_text()) for path in (out / "stages").glob("*/stage.json")]
    return {m["key"]: m["files"] for m in manifests if m["kind"] != "cost"}


def test_a_game_killed_at_any_moment_resumes_with_identical_results(
    played: tuple[Path, Results], tmp_path: Path
) -> None:
    """A part of the game, whose stages are those of the whole."""
    from tests.arena.conftest import TINY

    part = TINY | {"seeds": [0], "policies": ["standard", {"poe": {"gamma": 0.5}}]}
    config = tmp_path / "part.yaml"
    config.write_text(yaml.safe_dump(part))
    command, log = ["play", str(config), "--out", str(tmp_path / "run")], tmp_path / "log"
    for finished in (2, 9):
        process = Command(command, log)
        while len(list((tmp_path / "run" / "stages").glob("*/stage.json"))) < finished:
            assert process.poll() is None, process.output()
            time.sleep(0.1)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    last = Command(command, log)
    assert last.wait() == 0, last.output()
    killed, whole = fingerprints(tmp_path / "run"), fingerprints(played[0])
    assert len(killed) > 12
    assert killed == {key: whole[key] for key in killed}
    shutil.copytree(played[0] / "stages", tmp_path / "straight" / "stages")
    straight = distillgame.play(part, tmp_path / "straight", progress=False)
    resumed = read_results(tmp_path / "run" / "results.json")
    timed: Any = {"command": True, "teachers": {"__all__": {"time_cost", "time_cost_range"}}}
    assert resumed.model_dump(exclude=timed) == straight.model_dump(exclude=timed)


def test_ensembles_and_anticipating_policies_are_played_too(tmp_path: Path, tiny: dict[str, Any]) -> None:
    tiny |= {
        "seeds": [0],
        "proxies": {"olmo2": "embedded:proxy-olmo2"},
        "policies": [
            {"poe": {"gamma": 0.5}},
            {"poe": {"gamma": 0.5, "proxies": {"proxy": 1, "olmo2": 2}}},
            {"equilibrium_gap": {"eta": 0.5, "kappa": 1.0}},
            {"equilibrium_grad": {"eta": 0.2, "kappa": 1.0, "proxies": ["proxy", "olmo2"], "combine": "worst"}},
        ],
        "students": ["untrained"],
        "cost": {"prompts": 1, "repetitions": 1},
    }
    results = distillgame.play(tiny, tmp_path, progress=False)
    assert [(row.proxies, row.combine) for row in results.teachers] == [
        ({"proxy": 1}, None),
        ({"proxy": 1, "olmo2": 2}, None),
        ({"proxy": 1}, None),
        ({"proxy": 1, "olmo2": 1}, "worst"),
    ]
    assert all(row.kl_per_trace and row.time_cost for row in results.teachers)
    assert read_results(tmp_path / "results.json") == results
    summary = (tmp_path / "summary.md").read_text()
    for name in (
        "poe 0.5",
        "poe 0.5 (proxy 1, olmo2 2)",
        "equilibrium_gap 0.5 1",
        "equilibrium_grad 0.2 1 (proxy, olmo2, worst)",
    ):
        assert f"| {name} |" in summary


def test_a_failing_stage_is_one_line_and_keeps_what_is_finished(tmp_path: Path, tiny: dict[str, Any]) -> None:
    shutil.copytree(EMBEDDED / "student", tmp_path / "student")
    (tmp_path / "student" / "model.safetensors").write_bytes(b"cut short")
    tiny |= {"student": str(tmp_path / "student"), "policies": ["standard"], "seeds": [0], "compute": {"workers": 1}}
    with pytest.raises(DistillgameError, match=r"stage '.*' failed: model '.*student': cannot be loaded") as caught:
        distillgame.play(tiny, tmp_path / "run", progress=False)
    assert "\n" not in str(caught.value)
    assert list((tmp_path / "run" / "stages").glob("sample-standard*/traces.parquet"))


def test_a_proxy_with_another_vocabulary_is_refused_before_anything_runs(tmp_path: Path, tiny: dict[str, Any]) -> None:
    with pytest.raises(DistillgameError, match=r"proxy 'embedded:student-bpe' shares only 54 of 117 tokens"):
        distillgame.play(tiny | {"proxy": "embedded:student-bpe"}, tmp_path, progress=False)
    assert not (tmp_path / "stages").exists()
