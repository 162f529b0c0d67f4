"""The suite from end to end: chosen on validation, reported on test, rows, page, leaderboard; and on given traces."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

import distillgame
from distillgame.arena.results.files import report
from distillgame.cli.main import main
from distillgame.errors import DistillgameError
from distillgame.records import Results, read_results, read_traces
from distillgame.report import read_rows, render_leaderboard
from distillgame.students import SUITES

CHANGES: dict[str, Any] = {
    "students": [],
    "suite": "informed",
    "controls": True,
    "seeds": [0],
    "policies": [{"poe": {"gamma": 0.5}}, {"poe": {"gamma": 0.5, "form": "answer_only"}}],
    "splits": {"train": 16, "holdout": 8, "defender": 4, "validation": 8, "test": 8},
    "cost": {"prompts": 2, "repetitions": 1},
}


def config() -> dict[str, Any]:
    from tests.arena.conftest import TINY

    return copy.deepcopy(TINY) | CHANGES


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Results]:
    out = tmp_path_factory.mktemp("suite")
    return out, distillgame.play(config(), out, progress=False)


def attacks(results: Results, defense: str) -> list[Any]:
    return [row for row in results.students if row.defense == defense and not row.control]


def test_every_member_has_a_row_under_every_defense_that_gives_it_what_it_needs(played: tuple[Path, Results]) -> None:
    results = played[1]
    assert results.suite == "informed v3"
    members = len(SUITES["informed"].members)
    assert len(attacks(results, "poe gamma=0.5")) == members
    # There are no log-probabilities of a completion that is not released.
    assert len(attacks(results, "poe gamma=0.5 form=answer_only")) == members - 2


def test_the_strongest_of_each_level_was_the_best_on_validation(played: tuple[Path, Results]) -> None:
    for teacher in played[1].teachers:
        for level in ("text", "assisted", "informed"):
            rows = [r for r in attacks(played[1], teacher.defense) if r.threat_model.level == level]
            (strongest,) = [row for row in rows if row.strongest]
            assert strongest.validation == max(row.validation for row in rows)
            assert strongest.seeds == [0]


def test_controls_stand_under_every_defense(played: tuple[Path, Results]) -> None:
    for teacher in played[1].teachers:
        controls = {row.student: row for row in played[1].of(teacher) if row.control}
        assert set(controls) == {"untrained", "reference", "eta_zero", "shuffled", "oracle"}
        assert controls["reference"].threat_model.queries == 0
        passive = played[1].find(teacher.defense, "passive")
        assert controls["eta_zero"].accuracies == passive.accuracies[:1]


def test_rows_of_changed_settings_are_custom_and_say_so(played: tuple[Path, Results]) -> None:
    """The tiny game trains otherwise than the suite was frozen with."""
    assert {row.suite for row in played[1].students} == {"custom"}
    assert "custom_suite" in {flag.flag for flag in played[1].flags}


def test_pairs_of_defenses_are_compared_by_level(played: tuple[Path, Results]) -> None:
    pairs = [(pair.first, pair.second, pair.level) for pair in played[1].comparisons]
    assert len(pairs) == len(set(pairs)) == 3
    for pair in played[1].comparisons:
        low, high = pair.difference.interval.low, pair.difference.interval.high
        assert low <= pair.difference.value <= high


def test_released_characters_shrink_with_the_form_and_the_accuracy_stays(played: tuple[Path, Results]) -> None:
    teachers = {row.defense: row for row in played[1].teachers}
    full, short = teachers["poe gamma=0.5"], teachers["poe gamma=0.5 form=answer_only"]
    assert short.released_characters < full.released_characters / 2
    assert short.accuracy == full.accuracy
    assert short.form == "answer_only"


def test_students_of_another_form_never_see_the_full_completion(played: tuple[Path, Results]) -> None:
    (path, *_) = sorted((played[0] / "stages").glob("release-answer-only*train*/traces.parquet"))
    assert all(trace.completion.startswith("#### ") for trace in read_traces(path) if trace.extracted)


def test_every_defense_has_a_row_with_all_that_made_it(played: tuple[Path, Results]) -> None:
    rows = read_rows(played[0])
    assert {row.teacher.defense for row in rows} == {row.defense for row in played[1].teachers}
    for row in rows:
        assert {"teacher", "student", "proxy", "problems", "config"} <= set(row.hashes)
        assert row.versions["torch"]
        assert row.config["seeds"] == [0]
    text = render_leaderboard(rows)
    leaks = {text.index(f"| {row.teacher.defense} |"): row.strongest.accuracy for row in rows if row.strongest}
    assert len(set(leaks.values())) == 2
    assert [leak for _, leak in sorted(leaks.items())] == sorted(leaks.values())
    assert "informed v3, changed" in text


def test_the_report_is_made_anew_from_the_run(played: tuple[Path, Results]) -> None:
    page = played[0] / "report.html"
    before = page.read_text()
    page.unlink()
    assert report(played[0]) == page
    assert page.read_text() == before
    for name in ("frontier.png", "frontier.svg"):
        assert (played[0] / name).stat().st_size > 1000


def test_a_report_of_no_run_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["report", str(tmp_path)])
    assert stopped.value.code == 2
    assert capsys.readouterr().err == f"error: {tmp_path / 'results.json'}: no such file\n"


@pytest.mark.parametrize("text", ["", "[1]", "{}", "not JSON"])
def test_broken_leaderboard_rows_are_named(tmp_path: Path, text: str) -> None:
    if text:
        (tmp_path / "row.json").write_text(text)
    with pytest.raises(DistillgameError, match=str(tmp_path)):
        read_rows(tmp_path)


@pytest.fixture(scope="module")
def foreign(played: tuple[Path, Results], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Somebody else's traces: JSON Lines with messages only."""
    path = tmp_path_factory.mktemp("foreign") / "theirs.jsonl"
    source, *_ = (played[0] / "stages").glob(f"sample-poe*train-seed-0-{'?' * 12}/traces.parquet")
    path.write_text("".join(json.dumps({"messages": trace.messages}) + "\n" for trace in read_traces(source)))
    return path


@pytest.fixture(scope="module")
def attacked(foreign: Path) -> tuple[Path, Results]:
    out = foreign.parent / "attack"
    return out, distillgame.attack(foreign, config(), out, progress=False)


def test_a_suite_attacks_traces_from_anywhere(attacked: tuple[Path, Results]) -> None:
    out, results = attacked
    assert results.teachers == []
    assert {row.defense for row in results.students} == {"theirs.jsonl"}
    assert sum(row.strongest for row in results.students) == 3
    assert not {"best_of_k", "verified", "curriculum", "logit"} & {row.student for row in results.students}
    assert read_results(out / "results.json") == results
    assert "# An attack on theirs.jsonl" in (out / "summary.md").read_text()
    with pytest.raises(DistillgameError, match="an attack on given traces has no page"):
        report(out)


def test_given_traces_are_what_the_game_would_have_trained_on(
    attacked: tuple[Path, Results], played: tuple[Path, Results]
) -> None:
    ours, theirs = played[1].find("poe gamma=0.5", "passive"), attacked[1].find("theirs.jsonl", "passive")
    assert ours.accuracies[0] == theirs.accuracies[0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"messages": []}\n', "'messages' must list"),
        ('{"text": "a"}\n', "no column 'messages'"),
        ("", "not a readable JSON Lines file"),
        ('{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}], "correct": 2}\n',
         "row 0: 'correct' must be true or false, 1 or 0, or null (found 2)"),
        ('{"messages": [{"role": "assistant", "content": "b"}]}\n', "row 0: 'messages' must ask something"),
        ('{"messages": [{"role": "user", "content": "a"}]}\n', "row 0: 'messages' must ask something"),
        ('{"finish_reason": 3, "messages": [{"role": "user", "content": ""}, {"role": "assistant", "content": ""}]}\n',
         "row 0: 'finish_reason' must be stop or length (found 3)"),
    ],
)  # fmt: skip
def test_unusable_traces_are_one_line(
    tmp_path: Path, content: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "traces.jsonl"
    path.write_text(content)
    with pytest.raises(SystemExit) as stopped:
        main(["attack", str(path), "--out", str(tmp_path / "out")])
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_traces_of_the_problems_that_students_are_graded_on_are_refused(
    played: tuple[Path, Results], tmp_path: Path
) -> None:
    source, *_ = (played[0] / "stages").glob("sample-poe*test-seed-0-*/traces.parquet")
    with pytest.raises(DistillgameError, match="asks 8 problems of the test split, on which students are graded"):
        distillgame.attack(source, config(), tmp_path / "out", progress=False)


def test_fewer_defenses_in_the_same_folder_leave_no_old_rows(played: tuple[Path, Results], tmp_path: Path) -> None:
    import shutil

    out = tmp_path / "run"
    shutil.copytree(played[0], out)
    distillgame.play(config() | {"policies": [{"poe": {"gamma": 0.5}}]}, out, progress=False)
    assert [row.teacher.defense for row in read_rows(out)] == ["poe gamma=0.5"]
