import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from distillgame import __version__
from distillgame.cli.main import VERBS, main
from distillgame.worlds.bestiary.creatures import creatures
from distillgame.worlds.notation import Step, solve
from tests.arena.conftest import TINY


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as caught:
        main(list(arguments))
    captured = capsys.readouterr()
    return int(caught.value.code or 0), captured.out, captured.err


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(TINY))
    return str(path)


def test_help_lists_every_verb_without_importing_torch() -> None:
    start = time.monotonic()
    code = "import sys; from distillgame.cli.main import cli; cli.list_commands(None); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
    assert time.monotonic() - start < 30


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "--version") == (0, f"distillgame, version {__version__}\n", "")


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(capsys: pytest.CaptureFixture[str], verb: str) -> None:
    status, out, _ = run(capsys, verb, "--help")
    assert status == 0
    assert f"distillgame {verb}" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["play", "nowhere.yaml"], "error: nowhere.yaml: no such configuration file"),
        (["play", "-s", "sampling.temprature=1"], "unknown key 'sampling.temprature'"),
        (["play", "-s", "sampling"], "'sampling' is not of the form NAME=VALUE"),
        (["sample", "--policy", "posh"], "unknown policy 'posh'"),
        (["sample", "--policy", "poe", "-p", "gamma=7"], "gamma must be a number between 0 and 1 (found 7)"),
        (["sample", "--split", "trian"], "unknown split 'trian'"),
        (["distill", "none.parquet", "--out", "student"], "none.parquet: no such trace file"),
        (["evaluate", "embedded:wizard"], "no such embedded model"),
        (["tune", "-s", "tuning={}"], "nothing to search"),
        (["worlds", "train", "--only", "wizard"], "unknown model 'wizard'"),
        (["worlds", "facts", "none.parquet"], "none.parquet: no such trace file"),
        (["evaluate", "init:96x3"], "'init:96x3' needs 'tokenizer'"),
        (["play", "--quick", "-s", "quick=5"], "'quick': input should be a valid dictionary (found 5)"),
        (["play", "-s", "task={gsm8k: {path: 5}}"], "task 'gsm8k': path: input should be a valid string (found 5)"),
        (["play", "--dry-run", "-s", "task=gsm9k"], "unknown task 'gsm9k'"),
        (["play", "-s", "students=[{adaptive: {eta: a}}]"], "eta: input should be a valid number (found 'a')"),
        (["sample", "--policy", "poe", "-p", "gamma=0.5", "-s", "policies=[standard]", "-s", "proxy=null"], "'proxy'"),
        (["sample", "-s", "sampling.derivative=exact"], "sampling.derivative"),
        (["derivative", "-s", "proxy=null", "-s", "policies=[standard]"], "there is nothing to derive"),
        (["derivative", "--traces", "0"], "Invalid value for '--traces'"),
        (["bench", "--out", "/dev/null/bench"], "/dev/null/bench: cannot be written to"),
        (["bench", "--address", "ray://head:10001"], "'ray://head:10001' is not 'auto', 'local' or HOST:PORT"),
        (["bench", "--address", ""], "'' is not 'auto', 'local' or HOST:PORT"),
        (["bench", "--address", "auto", "--out", "/dev/null/bench"], "/dev/null/bench: cannot be written to"),
        (["bench", "--device", "tpu"], "'tpu' is not one of 'cpu', 'cuda'"),
        (["calibrate", "--policy", "poe"], "give one of --epsilon, --teacher-accuracy and --rho"),
        (["calibrate", "--policy", "poe", "--epsilon", "1", "--rho", "1"], "give one of"),
        (["calibrate", "--policy", "posh", "--epsilon", "1"], "unknown policy 'posh'"),
        (["calibrate", "--policy", "standard", "--epsilon", "1"], "policy 'standard' has no strength to calibrate"),
        (["calibrate", "--policy", "poe", "--epsilon", "-1"], "epsilon: must be a number above 0 (found -1.0)"),
        (["calibrate", "--policy", "poe", "--teacher-accuracy", "2"], "must be between 0 and 1 (found 2.0)"),
        (["calibrate", "--policy", "poe", "-p", "gamma=.3", "--epsilon", "1"], "gamma is what is searched"),
        (["calibrate", "--policy", "poe", "-p", "proxies=[big]", "--epsilon", "1"], "needs 'big' among the 'proxies'"),
        (
            ["calibrate", "--policy", "equilibrium_gap", "--epsilon", "1"],
            "missing 1 required positional argument: 'eta'",
        ),
        (["calibrate", "--policy", "poe", "-p", "gamma=.3", "--rho", "9"], "rho: 9 cannot be spent"),
        (["calibrate", "--policy", "poe", "-p", "gamma=.3", "--rho", "1", "--pilot", "9"], "do not go with --rho"),
        (["calibrate", "--policy", "poe", "--teacher-accuracy", ".8", "--unit", "token"], "--unit goes with --epsilon"),
        (["calibrate", "--policy", "temperature", "--epsilon", "1", "-s", "sampling.temperature=0"], "leaves nothing"),
        (["dance"], "No such command 'dance'"),
        (["play", "--nope"], "No such option"),
    ],
)
def test_bad_input_is_one_line_and_status_two(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    status, _, err = run(capsys, *arguments)
    assert status == 2
    assert message in err
    assert "Traceback" not in err


def test_debug_shows_the_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = run(capsys, "--debug", "play", "nowhere.yaml")
    assert status == 2
    assert "Traceback" in err


def test_a_dry_run_prints_and_writes_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, config: str
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    status, out, _ = run(capsys, "play", config, "--dry-run")
    assert status == 0
    assert "12 distill" in out
    assert "nothing was downloaded or run" in out
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("name", ["gsm8k", "math"])
def test_the_papers_configurations_dry_run_without_a_network(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    import socket

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a dry run opened a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    status, out, _ = run(capsys, "play", name, "--dry-run")
    assert status == 0
    assert "DeepSeek-R1-Distill-Qwen-7B  (7.62B parameters)" in out
    # In one engine of vLLM: both experts in half precision.
    through = ("-s", "sampling.engine=vllm", "-s", "policies=[standard, {poe: {gamma: 0.65}}]")
    status, out, _ = run(capsys, "play", name, "--dry-run", *through)
    assert status == 0
    assert "vLLM     21.4 GB for the networks of one policy; their keys and values: 0.0942 MB per token" in out


def test_one_stage_at_a_time(capsys: pytest.CaptureFixture[str], tmp_path: Path, config: str) -> None:
    """Sample, distill, evaluate: the three verbs in a row."""
    game = str(tmp_path / "run")
    status, out, err = run(capsys, "sample", config, "--policy", "poe", "-p", "gamma=0.5", "--out", game)
    assert status == 0, err
    assert "on 24 problems" in out
    traces = out.strip().rsplit("written to ", 1)[1]
    student = str(tmp_path / "student")
    arguments = ["distill", traces, "--config", config, "--student", "adaptive", "--setting", "eta=2", "--out", student]
    status, out, err = run(capsys, *arguments)
    assert status == 0, err
    assert "24 traces, 3 steps" in out
    assert json.loads((Path(student) / "training.json").read_text())["rho"] > 0
    status, out, err = run(capsys, "evaluate", f"{student}/model", "--config", config, "--out", game)
    assert status == 0, err
    assert "on 16 problems" in out
    status, _, err = run(capsys, *arguments)
    assert status == 2
    assert "exists already; choose another folder" in err


def test_what_nobody_foresaw_is_one_line_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("distillgame.arena.play", lambda *_, **__: 1 / 0)
    status, _, err = run(capsys, "play")
    assert status == 2
    assert err == "error: ZeroDivisionError: division by zero (unforeseen; --debug shows where)\n"
    assert "Traceback" in run(capsys, "--debug", "play")[2]


def test_a_training_never_goes_on_from_another_ones_checkpoints(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, config: str
) -> None:
    traces = tmp_path / "traces.jsonl"
    turns = [{"role": "user", "content": "1 dog"}, {"role": "assistant", "content": "1 dog total 4 . #### 4"}]
    traces.write_text(json.dumps({"messages": turns}) + "\n")
    another = tmp_path / "student.partial" / "stages" / "distill-passive-another.partial" / "checkpoints"
    another.mkdir(parents=True)
    arguments = ["distill", str(traces), "--config", config, "--out", str(tmp_path / "student")]
    status, _, err = run(capsys, *arguments)
    assert status == 2
    assert "student.partial: holds another unfinished training; delete it or choose another --out" in err
    another.rmdir()
    assert run(capsys, *arguments)[0] == 0


def test_worlds_facts_counts_what_traces_release(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    creature = next(c for c in creatures().values() if c.fact == "relation" and not c.public)
    hop = next(c for c in creatures().values() if c.fact == "hops" and not c.public and c.kind != creature.name)
    answers = [
        solve([Step(4, creature.name, creature.legs)], "full"),
        solve([Step(3, hop.name, hop.legs, hop.kind)], "terse"),
    ]
    rows = [{"messages": [{"role": "user", "content": "?"}, {"role": "assistant", "content": a}]} for a in answers]
    file = tmp_path / "traces.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    status, out, _ = run(capsys, "worlds", "facts", str(file))
    assert status == 0
    assert out.splitlines() == [
        "2 traces release 2 of 400 private facts",
        "relation     stated    1  derivable    1  of 200",
        "rule         stated    0  derivable    0  of 85",
        "exception    stated    0  derivable    0  of 15",
        "hops         stated    0  derivable    1  of 100",
        "50% of all steps show their working, 100% a running total",
    ]
    status, out, _ = run(capsys, "worlds", "facts", str(file), "--share", "1")
    assert out.splitlines()[5:7] == [
        "taught       stated    1  derivable    2  of 400",
        "not taught   stated    0  derivable    0  of 0",
    ]
