import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distillgame.records import write_traces
from tests.cli.test_main import run
from tests.records.test_traces import MEASURED

GAME = {"pi_ref": [[0.5, 0.3, 0.2], [0.6, 0.4]], "v": [[1.0, 0.4, 0.0], [0.7, 0.2]], "epsilon": 0.1, "rho": 0.05}


def write(tmp_path: Path, **changes: Any) -> str:
    path = tmp_path / "game.json"
    path.write_text(json.dumps({k: v for k, v in (GAME | changes).items() if v is not None}))
    return str(path)


def test_a_solution_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "solve", "two_problems")
    assert status == 0
    assert "| equilibrium | kappa" in out
    assert "global" in out


def test_json_holds_both_responses_the_equilibrium_and_the_certificate(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    status, out, _ = run(capsys, "solve", write(tmp_path), "--json")
    found = json.loads(out)
    assert status == 0
    assert {"student", "teacher", "equilibrium", "certificate"} == set(found)
    assert {"pi", "eta", "value"} == set(found["student"])
    assert {"pi", "lambda", "value"} == set(found["teacher"])
    assert {"pi_rel", "pi_eff", "eta", "kappa", "value"} <= set(found["equilibrium"])
    assert [len(row) for row in found["equilibrium"]["pi_rel"]] == [3, 2]
    assert found["equilibrium"]["value"] <= found["teacher"]["value"] <= found["student"]["value"]
    assert found["certificate"]["global"] is True


def test_an_infinite_dual_is_null(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    _, out, _ = run(capsys, "solve", write(tmp_path), "--json", "--rho", "50")
    assert json.loads(out)["student"]["eta"] is None
    assert json.loads(out)["certificate"]["rho_active"] is False


def test_a_csv_is_the_same_game(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "game.csv"
    rows = [(i, p, v) for i in range(2) for p, v in zip(GAME["pi_ref"][i], GAME["v"][i], strict=True)]  # type: ignore[index]
    path.write_text("context,pi_ref,v\n" + "".join(f"{i},{p},{v}\n" for i, p, v in rows))
    _, ours, _ = run(capsys, "solve", str(path), "--json", "--epsilon", "0.1", "--rho", "0.05")
    _, theirs, _ = run(capsys, "solve", write(tmp_path), "--json")
    assert json.loads(ours) == json.loads(theirs)


def test_a_plot_is_drawn(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    status, _, _ = run(capsys, "solve", write(tmp_path), "--plot", str(tmp_path / "game.png"))
    assert status == 0
    assert (tmp_path / "game.png").stat().st_size > 10_000


def traces(path: Path, counts: dict[str, int], **changes: Any) -> str:
    rng = np.random.default_rng(0)
    standard: dict[str, Any] = {"policy": "standard"}
    rows = [
        dataclasses.replace(MEASURED, **(standard | {"problem_id": name, "v_gap": rng.normal()} | changes))
        for name, count in counts.items()
        for _ in range(count)
    ]
    write_traces(path, rows)
    return str(path)


def test_traces_make_an_empirical_game(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = traces(tmp_path / "t.parquet", {"a": 4, "b": 5})
    status, out, _ = run(capsys, "solve", "--traces", path, "--epsilon", "0.1", "--rho", "0.1", "--json")
    assert status == 0
    assert [len(row) for row in json.loads(out)["equilibrium"]["pi_rel"]] == [4, 5]


@pytest.mark.parametrize(
    ("counts", "changes", "message"),
    [
        ({"a": 4, "b": 3}, {}, "needs 4 standard traces of every prompt (found 3 of 'b')"),
        ({"a": 4}, {"policy": "poe"}, "holds no traces of the policy 'standard'"),
        ({"a": 4}, {"v_gap": None}, "v_gap was not measured for 'a'; sample with a proxy"),
    ],
)
def test_traces_that_make_no_game_are_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, counts: dict[str, int], changes: dict[str, Any], message: str
) -> None:
    path = traces(tmp_path / "t.parquet", counts, **changes)
    status, _, err = run(capsys, "solve", "--traces", path, "--epsilon", "0.1", "--rho", "0.1")
    assert status == 2
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pi_ref": [[0.5, 0.3, 0.1], [0.6, 0.4]]}, "pi_ref[0]: probabilities must sum to 1 (found 0.9)"),
        ({"pi_ref": [[1.2, -0.4, 0.2], [0.6, 0.4]]}, "pi_ref[0][1]: must not be negative (found -0.4)"),
        ({"v": [[1.0, float("nan"), 0.0], [0.7, 0.2]]}, "v[0][1]: must be a finite number (found nan)"),
        ({"epsilon": -0.5}, "epsilon must be a number of nats, at least 0 (found -0.5)"),
        ({"rho": "much"}, "rho must be a number of nats, at least 0 (found 'much')"),
        ({"rho": None}, "the field 'rho' is missing, or give --rho"),
        ({"v": None}, "the field 'v' is missing"),
        ({"gamma": 1}, "unknown field 'gamma'"),
        ({"v": 3}, "v must be a list with one list for each context (found 3)"),
        ({"weights": [1, -1]}, "weights[1]: must be a number of at least 0 (found -1)"),
    ],
)
def test_bad_games_end_in_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    path = write(tmp_path, **changes)
    status, _, err = run(capsys, "solve", path)
    assert status == 2
    assert message in err
    assert err.startswith(f"error: {path}")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("game.json", "{", "not JSON"),
        ("game.json", "[1]", "a game must be an object with pi_ref, v, epsilon, rho"),
        ("game.csv", "context,v\n1,2\n", "the column 'pi_ref' is missing (found context, v)"),
        ("game.csv", "context,pi_ref,v\na,x,1\n", "line 2: pi_ref must be a number (found 'x')"),
    ],
)
def test_files_that_hold_no_game_are_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str, text: str, message: str
) -> None:
    (tmp_path / name).write_text(text)
    status, _, err = run(capsys, "solve", str(tmp_path / name))
    assert (status, err.count("\n")) == (2, 1)
    assert message in err


def test_a_missing_file_names_the_examples(capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = run(capsys, "solve", "no_such_game")
    assert status == 2
    assert "give a file, or an example: two_problems" in err
