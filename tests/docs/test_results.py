"""The tables of the documentation are those of the committed results."""

import json
import runpy

from distillgame.arena import load_config
from distillgame.records import read_results
from distillgame.records.suspects import SuspectResults, SuspectRow
from distillgame.report import header, name_of, percent, read_rows, render_bench, render_leaderboard, rows
from distillgame.report.tables import suspect_lines
from distillgame.report.tables.leaderboard import LeaderboardRow
from tests.docs.pages import DOCS, scored


def test_the_committed_comparison_is_what_its_rows_say() -> None:
    rows = json.loads((DOCS / "comparison.json").read_text())["rows"]
    page = runpy.run_path(str(DOCS.parent / "benchmarks" / "comparison.py"))["page"]
    assert (DOCS / "comparison.md").read_text() == page(rows)


def test_the_committed_leaderboard_is_what_its_rows_say() -> None:
    assert (DOCS / "leaderboard.md").read_text() == render_leaderboard(read_rows(DOCS / "leaderboard"))


def test_the_readmes_table_is_what_the_default_game_said() -> None:
    results = read_results(DOCS / "bestiary-game.json")
    assert results.command == "distillgame play"
    titles = header(results)
    lines = [line.strip("| ").split(" | ") for line in (DOCS.parent / "README.md").read_text().splitlines()]
    shown = next(line for line in lines if line[0] == "policy")
    assert set(titles) - set(shown) == {"finished"}
    for row in rows(results):
        (line,) = [line for line in lines if line[0] == row[0]]
        assert line == [row[titles.index(title)] for title in shown]


def test_the_suites_table_is_what_the_rows_say() -> None:
    lines = (DOCS / "world.md").read_text().partition("## The suite")[2].splitlines()
    rows = read_rows(DOCS / "leaderboard" / "leg_counting-v3")
    assert len(rows) == 5
    for row in rows:
        found = [row.teacher, *(student for student in row.students if student.student in ("untrained", "reference"))]
        found += [student for student in row.students if student.student == "passive"]
        cells = [name_of(row.teacher), *(percent(each.accuracy, each.standard_error) for each in found)]
        for level in ("text", "assisted"):
            best = [each for each in row.students if each.strongest and each.threat_model.level == level]
            cells += [scored(each) for each in best] or ["–"]
        assert row.teacher.kl_per_trace is not None
        cells.append(f"{row.teacher.kl_per_trace:.2f}")
        assert row.teacher.time_cost is not None
        cells.append(f"{row.teacher.time_cost:.2f}")
        assert [line for line in lines if line.startswith(f"| {name_of(row.teacher)} |")] == [
            f"| {' | '.join(cells)} |"
        ]


def test_the_habits_suite_finds_no_difference_of_released_text() -> None:
    results = read_results(DOCS / "leg-counting-v3.json")
    assert [row.defense for row in results.teachers] == [row.teacher.defense for row in legs("v3")]
    text = [each for each in results.comparisons if each.level == "text"]
    assert len(text) == 10
    assert not any(each.difference.significant for each in text)


def test_versions_of_the_suite_find_the_same_strongest_students_of_habits() -> None:
    for old, new, newest in zip(legs("v1"), legs("v2"), legs("v3"), strict=True):
        assert old.strongest is not None
        assert new.strongest is not None
        assert newest.strongest is not None
        assert old.strongest.label == new.strongest.label
        assert round(abs(old.strongest.accuracy - new.strongest.accuracy), 6) <= 0.001
        if new.teacher.policy == "ads":
            assert newest.strongest.label.endswith("reader=filter:share:0.25,value:length untold=drop")
            assert round(100 * (newest.strongest.accuracy - new.strongest.accuracy), 1) == 0.3
        else:
            assert newest.strongest.label == new.strongest.label
            assert newest.strongest.accuracy == new.strongest.accuracy


def legs(version: str) -> list[LeaderboardRow]:
    """The rows of leg counting's suite, in the order of its configuration."""
    rows = {row.teacher.defense: row for row in read_rows(DOCS / "leaderboard" / f"leg_counting-{version}")}
    return [rows[defense.label] for defense in load_config("leg_counting_suite").policies]


def test_the_committed_bench_is_what_its_rows_say() -> None:
    names = ("bench-epyc.json", "bench-xeon.json", "bench-2026-11-22.json")
    results = [json.loads((DOCS / name).read_text()) for name in names]
    assert (DOCS / "bench.md").read_text() == render_bench(*results)


def test_the_tables_of_attribution_are_those_of_its_results() -> None:
    page, tables = ((DOCS / name).read_text() for name in ("attribution.md", "attribution-tables.md"))
    for name in ("attribution.json", "marks.json", "leg-counting-marks.json"):
        results = SuspectResults.model_validate_json((DOCS / name).read_text())
        assert "\n".join(suspect_lines(results)) in tables
        assert f"`{results.command}` ([{name}]({name})):" in tables
        if name != "leg-counting-marks.json":
            assert {line for line in suspect_lines(results) if line.count("|") == 6} <= set(page.splitlines())
    keyed = SuspectResults.model_validate_json((DOCS / "attribution.json").read_text()).suspects
    rows = {(row.suspect, row.evidence): row for row in keyed}
    for suspect in (name for name, kind in rows if kind == "released"):
        released, prompts = rows[suspect, "released"], rows[suspect, "prompts"]
        accuracy = f"{100 * released.accuracy:.1f}"
        assert f"| {suspect} | {accuracy} | {found_out(released)} | {found_out(prompts)} |" in page


def found_out(row: SuspectRow) -> str:
    """A suspect by one kind of evidence: z per seed, and who was named."""
    named = ", ".join(f"{row.named.count(name)} {name}" for name in dict.fromkeys(row.named))
    return f"{' '.join(f'{z:+.1f}' for z in row.z)}: {named}"
