"""``distillgame judge`` from end to end: a run, a sheet, a file of traces, and what goes wrong."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from distillgame.arena import play
from distillgame.cli.main import main
from distillgame.records import read_results
from tests.endpoints import Listening, endpoint
from tests.judges.rubric.mock import level, reply

from .conftest import TINY

FEW = ["--problems", "4", "-s", "judge.anchors=3", "-s", "judge.repeats=1"]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("judging") / "run"
    play({**TINY, "students": ["untrained"], "seeds": [0]}, root, progress=False)
    return root


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as left:
        main(["judge", *arguments])
    return int(left.value.code or 0)


def rubric(listening: Listening) -> str:
    options = {"model": "openai-api/local/m", "base_url": listening.url, "criteria": ["auditability"]}
    return yaml.safe_dump({"rubric": options}, default_flow_style=True, width=1000)


def test_a_run_gains_what_judges_say_and_loses_nothing(
    played: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = read_results(played / "results.json")
    with endpoint(lambda body, count: reply(level(2))) as listening:
        chosen = ["--judge", "checked", "--judge", rubric(listening)]
        assert run(str(played), *chosen, *FEW, "--dry-run") == 0
        assert "31 calls" in capsys.readouterr().out
        assert listening.asked == []
        assert run(str(played), *chosen, *FEW) == 0
        asked = len(listening.asked)
        assert 25 <= asked <= 31
        assert run(str(played), *chosen, *FEW) == 0
        assert len(listening.asked) == asked
    results = read_results(played / "results.json")
    assert results.teachers == before.teachers
    assert results.students == before.students
    assert results.legibility is not None
    assert [judge.judge.split()[0] for judge in results.legibility.judges] == ["checked", "rubric"]
    assert {row.auditability.mean for row in results.legibility.rows if row.auditability and "rubric" in row.judge} == {
        2
    }
    assert results.legibility.judges[1].tokens == 3 * asked
    assert len(results.legibility.agreements) <= 1
    assert results.command.startswith(before.command)
    printed = capsys.readouterr().out
    assert "judged by checked" in printed
    costs = {row.defense: (row.prompt_tokens, row.tokens) for row in results.legibility.rows if "rubric" in row.judge}
    assert set(costs.values()) == {(4 * 7, 4 * 3)}
    assert "tokens written" in printed
    assert f"{7 * asked}" in printed
    assert "flag anchors_out_of_order" in printed
    assert "Still worth reading?" in (played / "report.html").read_text()
    assert (played / "legibility.png").stat().st_size > 10_000
    viewed = json.loads((played / "viewer.json").read_text())
    said = [len(trace["judgements"]) for problem in viewed for trace in problem["traces"]]
    assert said == [2] * 12 + [0] * 36  # four of sixteen problems


def test_people_label_a_blinded_sheet(played: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sheet = tmp_path / "sheet.csv"
    assert run(str(played), *FEW, "--export-labels", str(sheet), "--rows", "12") == 0
    rows = [*csv.DictReader(sheet.read_text(encoding="utf-8-sig").splitlines(keepends=True))]
    assert len(rows) == 12
    assert not any("gamma" in value or "poe" in value for row in rows for value in row.values())
    assert run(str(played), *FEW, "--export-labels", str(sheet)) == 2
    assert "exists, perhaps with labels in it" in capsys.readouterr().err
    filled = tmp_path / "filled.csv"
    with filled.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows({**row, "auditability": str(1 + i % 5)} for i, row in enumerate(rows))
    assert run(str(played), *FEW, "--labels", str(filled)) == 0
    results = read_results(played / "results.json")
    assert results.legibility is not None
    assert sum(judge.scored for judge in results.legibility.judges if "labels" in judge.judge) == 12
    second = tmp_path / "second.csv"
    second.write_text(filled.read_text())
    for _ in range(2):  # One more judge, and only once.
        assert run(str(played), *FEW, "--labels", str(second)) == 0
        results = read_results(played / "results.json")
        assert results.legibility is not None
        named = [judge.judge for judge in results.legibility.judges if judge.judge.startswith("labels")]
        assert named == [f"labels file={tmp_path / sheet}.csv" for sheet in ("filled", "second")]
    filled.write_text(filled.read_text().replace(rows[3]["id"], "nobody"))
    assert run(str(played), *FEW, "--judge", "checked", "--labels", str(filled)) == 2
    assert "unknown id 'nobody'" in capsys.readouterr().err


def test_traces_from_elsewhere_are_judged_in_the_order_of_their_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = ["3 + 4 = 7\n#### 7", "3 + 4 = 8\n#### 8", "", "Ich weiß es nicht."]
    rows: list[dict[str, Any]] = [
        {"messages": [{"role": "user", "content": "3 + 4?"}, {"role": "assistant", "content": text}], "correct": i == 0}
        for i, text in enumerate(texts)
    ]
    path = tmp_path / "traces.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    two = ["--judge", "checked", "--judge", "{checked: {reader: 'embedded:proxy'}}"]
    assert run("--traces", str(path), *two, "--out", str(tmp_path / "two"), "--dry-run") == 0
    assert "4 exhibits, 0 calls" in capsys.readouterr().out
    assert not (tmp_path / "two").exists()
    assert run("--traces", str(path), *two, "--out", str(tmp_path / "two")) == 0
    capsys.readouterr()
    first, second = (json.loads((tmp_path / "two" / f"checked-{i}.json").read_text()) for i in (1, 2))
    assert "surprise" not in first[0]["scores"]
    assert second[0]["scores"]["surprise"] < 0
    assert run("--traces", str(path), "--out", str(tmp_path / "out")) == 0
    assert "4 traces, judged by checked" in capsys.readouterr().out
    found = json.loads((tmp_path / "out" / "checked.json").read_text())
    assert [each["correct"] for each in found] == [True, False, False, False]
    scores = [each["scores"]["auditability"] for each in found]
    assert scores[0] == 5
    assert scores[0] > scores[1] > scores[2] == 1
    assert [mark["true"] for each in found for mark in each["marks"]] == [True, False]


def test_levels_are_listed_best_first_for_half_of_the_questions_of_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Answers to one question are asked about alike, whatever their order in the file."""
    path = tmp_path / "traces.jsonl"
    rows = [
        {"messages": [{"role": "user", "content": f"{i} + 4?"}, {"role": "assistant", "content": f"Answer {answer}."}]}
        for answer in range(3)
        for i in range(4)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with endpoint(lambda body, before: reply(level(2) if before else None)) as listening:
        assert run("--traces", str(path), "--judge", rubric(listening), "--out", str(tmp_path / "out")) == 0
        asked = [body["messages"][1]["content"] for body in listening.asked]
    first = {i: {text.split("Its levels:\n")[1][0] for text in asked if f"{i} + 4?" in text} for i in range(4)}
    assert len(asked) == 12
    assert sorted(first.values(), key=str) == [{"1"}, {"1"}, {"5"}, {"5"}]
    assert "not scored: 1 refused\ntokens: 84 read, 36 written\n" in capsys.readouterr().out


def test_a_cap_on_tokens_ends_the_asking_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each answer costs ten tokens here: the third reaches the cap of 25, and nothing more is asked."""
    path = tmp_path / "traces.jsonl"
    rows = [
        {"messages": [{"role": "user", "content": f"{i} + 4?"}, {"role": "assistant", "content": f"Answer {i}."}]}
        for i in range(8)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with endpoint(lambda body, before: reply(level(3))) as listening:
        judge = yaml.safe_load(rubric(listening))
        judge["rubric"]["concurrency"] = 1
        given = ["--traces", str(path), "--judge", "checked", "--judge", json.dumps(judge), "--max-tokens", "25"]
        assert run(*given, "--out", str(tmp_path / "out"), "--dry-run") == 0
        assert "max_tokens=25: up to 8 exhibits" in capsys.readouterr().out
        assert run(*given, "--out", str(tmp_path / "out")) == 0
        assert len(listening.asked) == 3
        judge["rubric"]["max_tokens"] = 15
        lower = ["--traces", str(path), "--judge", json.dumps(judge), "--max-tokens", "25", "--dry-run"]
        assert run(*lower) == 0
    said = capsys.readouterr().out
    assert "5 unasked\ntokens: 21 read, 9 written\n" in said
    assert "max_tokens=15" in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name either the folder of a run, or --traces FILE"),
        (["RUN", "-s", "judge.judges=[checked]", "--max-tokens", "9"], "leave out --judge, --labels and --max-tokens"),
        (["RUN", "--judge", "checked", "--max-tokens", "9"], "--max-tokens: none of the judges asks a language model"),
        (["RUN", "--max-tokens", "0"], "Invalid value for '--max-tokens': 0 is not in the range x>=1"),
        (["nowhere"], "nowhere/results.json: no such file"),
        (["--traces", "nowhere.jsonl"], "nowhere.jsonl"),
        (["--traces", "FILE", "--judge", "checked", "--judge", "checked"], "judges: 'checked' is listed twice"),
        (["--traces", "FILE"], "row 0: 'messages' must ask something and end with the assistant's turn"),
        (["--traces", "FILE", "--dry-run"], "row 0: 'messages' must ask something and end with the assistant's turn"),
        (["RUN", "--judge", "{rubric"], "--judge: '{rubric' is not YAML"),
        (["RUN", "--judge", "nobody"], "unknown judge 'nobody'"),
        (["RUN", "--problems", "1"], "judge.problems"),
        (["RUN", "--out", "elsewhere"], "--out goes with --traces"),
        (["--traces", "any.jsonl", "--problems", "4"], "--problems goes with a run"),
        (["--traces", "any.jsonl", "--labels", "sheet.csv"], "--labels goes with a run"),
        (["--traces", "any.jsonl", "-s", "judge.anchors=3"], "--set goes with a run"),
        (["RUN", "--judge", "{rubric: {model: openai-api/local/m, base_url: 'http://127.0.0.1:1/v1', attempts: 1}}"],
         "judge 'rubric'"),
    ],
)  # fmt: skip
def test_what_cannot_be_judged_is_refused_in_one_line(
    played: Path, tmp_path: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    unanswered = tmp_path / "unanswered.jsonl"
    unanswered.write_text('{"messages": [{"role": "user", "content": "3 + 4?"}]}')
    places = {"RUN": str(played), "FILE": str(unanswered)}
    assert run(*(places.get(argument, argument) for argument in arguments)) == 2
    said = capsys.readouterr().err
    assert message in said
    assert "Traceback" not in said


def test_a_sweeps_run_is_not_taken_for_a_game(played: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = yaml.safe_load((played / "config.yaml").read_text())
    (played / "config.yaml").write_text(yaml.safe_dump(config | {"policies": config["policies"][:2]}))
    try:
        assert run(str(played), "--judge", "checked") == 2
    finally:
        (played / "config.yaml").write_text(yaml.safe_dump(config))
    assert "is no single game" in capsys.readouterr().err
