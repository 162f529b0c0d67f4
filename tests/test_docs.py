"""What the documentation shows has to work."""

import copy
import json
import math
import re
import runpy
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from distillgame.arena import load_config
from distillgame.cli.main import main
from distillgame.models import Endpoint, LanguageModel
from distillgame.policies import Experts, policies, release
from distillgame.records import ReleasedTrace, Results, StudentRow, TeacherRow, read_results
from distillgame.records.suspects import SuspectResults, SuspectRow
from distillgame.report import header, name_of, percent, read_rows, render_bench, render_leaderboard, rows
from distillgame.report.tables import suspect_lines
from distillgame.report.tables.leaderboard import LeaderboardRow
from distillgame.stats import FLAGS
from distillgame.students import SUITES, Desk, Supplies, TrainingSettings, distill, make_student, students
from distillgame.tasks import split, tasks

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
TEMPERED = "temperature temperature=1.034"


def blocks(name: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (DOCS / name).read_text(), re.DOTALL)


@pytest.fixture(scope="module")
def examples() -> dict[str, Any]:
    namespace: dict[str, Any] = {}
    for block in blocks("extending.md", "python"):
        exec(block, namespace)
    return namespace


def test_the_example_policy_releases_a_distribution(examples: dict[str, Any]) -> None:
    policy = policies.get("flatten")(share=0.5)
    result = release(policy, Experts(torch.randn(3, 7), 1.0))
    assert torch.allclose(result.released.probabilities.sum(-1), torch.ones(3))
    assert float(result.released.probabilities.min()) > 0.5 / 7


def test_the_example_student_drops_the_lower_half(examples: dict[str, Any]) -> None:
    weights = torch.softmax(students.get("top_half")().log_weights(torch.arange(4.0), torch.Generator()), 0)
    assert weights.tolist() == pytest.approx([0, 1 / 3, 1 / 3, 1 / 3], abs=1e-6)


def test_the_example_student_trains(examples: dict[str, Any], teacher: LanguageModel) -> None:
    turns = [{"role": "user", "content": "1 dog"}, {"role": "assistant", "content": "1 dog total 4 . #### 4"}]
    settings = TrainingSettings(epochs=1, batch_size=4, objective_batch=2)
    model = LanguageModel(copy.deepcopy(teacher.model), teacher.tokenizer, teacher.source)
    _, report = distill(
        model, make_student("top_half"), Supplies([ReleasedTrace(turns)] * 6), [ReleasedTrace(turns)], settings, 0
    )
    assert 0 <= report.rho <= math.log(4)


def test_the_example_selecting_student_keeps_the_longest(examples: dict[str, Any], teacher: LanguageModel) -> None:
    texts = ["1 dog total 4 . #### 4", "1 dog : 1 x 4 = 4 total 4 . #### 4"]
    traces = [
        ReleasedTrace([{"role": "user", "content": "1 dog"}, {"role": "assistant", "content": text}]) for text in texts
    ]
    kept = make_student("longest", {"share": 0.5}).prepare(Desk(teacher, Supplies(traces), (), 256, 4, 1e-3, 1e-3))
    assert [lesson.example.target for lesson in kept] == [
        lesson.example.target for lesson in Desk(teacher, Supplies(), (), 256, 4, 1e-3, 1e-3).lessons(traces[1:])
    ]


def test_the_example_of_private_facts_counts(examples: dict[str, Any]) -> None:
    knowledge = examples["Capitals"]()
    released = knowledge.released(["It is Poseidonia, of course.", "Who knows?"])
    assert released.stated == released.derivable == {"Atlantis"}
    free, forced = knowledge.probes()
    assert not free.beginning
    assert knowledge.shows(forced, " Poseidonia")
    assert not knowledge.shows(free, "It is Paris.")
    assert knowledge.needed(free.messages[0]["content"] + " Of Atlantis?") == {"Atlantis"}


def test_every_flag_has_a_section() -> None:
    sections = re.findall(r"^## (\w+)$", (DOCS / "flags.md").read_text(), re.MULTILINE)
    assert sorted(sections) == sorted(FLAGS)


def test_the_suites_page_lists_every_member_and_its_settings() -> None:
    lines = (DOCS / "suite.md").read_text().splitlines()
    (head,) = [line for line in lines if line.startswith("| student | what it does |")]
    for label in ("informed v1", "informed v2"):
        column = [cell.strip() for cell in head.split("|")].index(label.split()[1])
        settings = {line.split("`")[1]: line.split("|")[column].strip() for line in lines if line.startswith("| `")}
        assert {name for name, cell in settings.items() if cell} == {each.name for each in SUITES[label].members}
        for member in SUITES[label].members:
            # Of a composition, the students that it is made of.
            for value in member.options.values():
                text = next(iter(value)) if isinstance(value, dict) else value
                shown = text if isinstance(text, str) else f"{text:g}".replace("0.", ".")
                assert re.search(rf"(?<![\w.]){re.escape(shown)}(?![\w.]*\d)", settings[member.name]), (member, value)


def test_the_forms_and_sweep_of_the_suites_page_are_valid() -> None:
    forms, grid = (yaml.safe_load(block) for block in blocks("suite.md", "yaml"))
    config = load_config("suite", overrides=forms)
    assert [defense.form.name for defense in config.policies] == [
        "full", "answer_only", "summary", "truncated", "reformulate", "rewrite"
    ]  # fmt: skip
    assert load_config("suite", overrides=grid).sweep.queries == [100, 400, 1500]


def test_the_example_task_splits_and_grades(examples: dict[str, Any]) -> None:
    task = tasks.get("squares")()
    problem = split(task, {"test": 5})["test"][0]
    assert task.grade(problem.solution, problem).correct


def test_the_example_configuration_is_valid() -> None:
    text, endpoint = blocks("playing.md", "yaml")
    load_config(yaml.safe_load(text))
    assert isinstance(load_config("suite", overrides=yaml.safe_load(endpoint)).attacker.paraphraser, Endpoint)


def test_the_example_of_several_proxies_is_valid() -> None:
    (text,) = blocks("game.md", "yaml")
    config = load_config("leg_counting", overrides=yaml.safe_load(text))
    assert [choice.policy.combine for choice in config.policies] == [None, "worst", "mean"]


def test_the_decoding_example_samples(capsys: pytest.CaptureFixture[str]) -> None:
    for block in blocks("decoding.md", "python"):
        exec(block, {})
    assert "####" in capsys.readouterr().out


def test_the_solving_page_is_what_the_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    """All of it but the certificate's rounding errors; and its Python runs."""
    with pytest.raises(SystemExit):
        main(["solve", "two_problems"])
    printed = capsys.readouterr().out.partition("Certificate")[0]
    assert printed in (DOCS / "solving.md").read_text()
    for block in blocks("solving.md", "python"):
        exec(block, {})
    assert capsys.readouterr().out.startswith("[[")


PAGES = [*DOCS.glob("*.md"), *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md"))]
HISTORY = {DOCS / "lab.md", ROOT / "CHANGELOG.md"}


@pytest.mark.parametrize("path", sorted(PAGES), ids=lambda path: path.name)
def test_every_page_has_a_title_and_working_links(path: Path) -> None:
    text = path.read_text()
    assert text.startswith("# ")
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", text):
        assert target.startswith("http") or (path.parent / target).exists(), target


def test_every_page_is_in_the_sites_navigation() -> None:
    listed = re.findall(r": (\S+\.md)$", (DOCS / "site" / "site.yml").read_text(), re.MULTILINE)
    assert {path.relative_to(ROOT).as_posix() for path in PAGES} <= set(listed)


def test_the_picture_shows_every_room() -> None:
    shown = re.findall(r">([a-z_]+)</text>", (DOCS / "architecture.svg").read_text())
    rooms = {path.parent.name for path in (ROOT / "src" / "distillgame").glob("*/__init__.py")}
    assert rooms <= set(shown)


@pytest.mark.parametrize("path", sorted(set(PAGES) - HISTORY), ids=lambda path: path.name)
def test_source_files_that_a_page_names_exist(path: Path) -> None:
    for name in re.findall(r"`([\w/]+/\w+\.py)`", path.read_text()):
        assert (ROOT / name).exists() or (ROOT / "src" / "distillgame" / name).exists(), name


def test_the_reference_has_a_page_per_room_and_shows_what_a_module_of_the_same_name_hides(tmp_path: Path) -> None:
    package = ROOT / "src" / "distillgame"
    runpy.run_path(str(DOCS / "site" / "reference.py"))["write_reference"](package, tmp_path)
    rooms = {path.parent.name for path in package.glob("*/__init__.py")} - {"cli"}
    assert {f"distillgame.{room}.md" for room in rooms} <= {path.name for path in tmp_path.iterdir()}
    assert "::: distillgame.arena.play.play" in (tmp_path / "distillgame.md").read_text()


def test_the_site_is_checked_for_dead_links_anchors_and_foreign_requests(tmp_path: Path) -> None:
    problems = runpy.run_path(str(DOCS / "site" / "links.py"))["problems"]
    (tmp_path / "a.html").write_text('<h1 id="top"></h1><a href="b.html#here"></a><a href="#top"></a>')
    (tmp_path / "b.html").write_text('<p id="here"></p><a href="https://elsewhere.org"></a>')
    assert problems(tmp_path) == []
    (tmp_path / "b.html").write_text('<a href="c.html"></a><script src="https://elsewhere.org/x.js"></script>')
    assert problems(tmp_path) == [
        "a.html links to b.html#here, which has no such anchor",
        "b.html links to c.html, which does not exist",
        "b.html loads https://elsewhere.org/x.js",
    ]


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


def test_the_split_into_knowledge_and_method_is_what_the_default_game_said() -> None:
    results = read_results(DOCS / "bestiary-game.json")
    lines = (DOCS / "bestiary.md").read_text().splitlines()
    for row in results.students:
        learnt = row.facts
        assert learnt is not None
        assert learnt.accuracy_if_known is not None
        teacher = next(teacher for teacher in results.teachers if teacher.defense == row.defense)
        name = "–" if row.control or row.student in ("untrained", "reference") else name_of(teacher)
        low, high = learnt.forced.interval.low, learnt.forced.interval.high
        cells = [
            name,
            row.student,
            f"{100 * row.accuracy:.1f}",
            f"{learnt.forced.mean:.0f} ({low:.0f} to {high:.0f})",
            f"{learnt.free.mean:.0f}",
            f"{learnt.knowledge:.2f}".removeprefix("0"),
            f"{learnt.accuracy_if_known:.2f}".removeprefix("0"),
        ]
        assert f"| {' | '.join(cells)} |" in lines


def test_the_table_of_queries_is_what_the_sweep_said() -> None:
    results = read_results(DOCS / "bestiary-queries.json")
    lines = (DOCS / "bestiary.md").read_text().splitlines()
    assert sum(line.startswith("|") for line in section(lines, "## What a rate limit buys")) == 2 + 5 * 4
    assert len(results.teachers) == 5
    for teacher, queries in product(results.teachers, (100, 400, 1500, 6000)):
        released = results.released(teacher.defense, queries)
        rows = [row for row in results.of(teacher) if row.threat_model.queries == queries]
        passive = next(row for row in rows if row.student == "passive")
        (strongest,) = [row for row in rows if row.strongest]
        assert released is not None
        assert passive.facts is not None
        cells = [
            name_of(teacher),
            f"{queries:,}",
            f"{released.derivable.mean:.0f}",
            learnt_forced(passive),
            f"{passive.facts.free.mean:.0f}",
            percent(passive.accuracy, passive.standard_error),
            f"{percent(strongest.accuracy, strongest.standard_error)} ({strongest.student})",
            learnt_forced(strongest),
        ]
        assert f"| {' | '.join(cells)} |" in lines


def section(lines: list[str], heading: str) -> list[str]:
    """The lines of a page's section."""
    rest = lines[lines.index(heading) + 1 :]
    return rest[: next((place for place, line in enumerate(rest) if line.startswith(("## ", "### "))), len(rest))]


def learnt_forced(row: StudentRow) -> str:
    """The facts that a student gives rightly in most forced probes, with their interval."""
    assert row.facts is not None
    forced = row.facts.forced
    return f"{forced.mean:.0f} ({forced.interval.low:.0f} to {forced.interval.high:.0f})"


def test_the_suites_table_is_what_the_rows_say() -> None:
    lines = (DOCS / "world.md").read_text().partition("## The suite")[2].splitlines()
    rows = read_rows(DOCS / "leaderboard" / "leg_counting-v2")
    assert len(rows) == 5
    for row in rows:
        found = [row.teacher, *(student for student in row.students if student.student in ("untrained", "reference"))]
        found += [student for student in row.students if student.student == "passive"]
        cells = [name_of(row.teacher), *(percent(each.accuracy, each.standard_error) for each in found)]
        for level in ("text", "assisted"):
            best = [each for each in row.students if each.strongest and each.threat_model.level == level]
            cells += [f"{percent(b.accuracy, b.standard_error)} ({called(b.student, b.settings)})" for b in best] or [
                "–"
            ]
        assert row.teacher.kl_per_trace is not None
        cells.append(f"{row.teacher.kl_per_trace:.2f}")
        assert row.teacher.time_cost is not None
        cells.append(f"{row.teacher.time_cost:.2f}")
        assert [line for line in lines if line.startswith(f"| {name_of(row.teacher)} |")] == [
            f"| {' | '.join(cells)} |"
        ]


def test_the_habits_suite_finds_no_difference_of_released_text() -> None:
    results = read_results(DOCS / "leg-counting-v2.json")
    assert [row.defense for row in results.teachers] == [row.teacher.defense for row in legs("v2")]
    text = [each for each in results.comparisons if each.level == "text"]
    assert len(text) == 10
    assert not any(each.difference.significant for each in text)
    for old, new in zip(legs("v1"), legs("v2"), strict=True):
        assert old.strongest is not None
        assert new.strongest is not None
        assert old.strongest.label == new.strongest.label
        assert round(abs(old.strongest.accuracy - new.strongest.accuracy), 6) <= 0.001


def legs(version: str) -> list[LeaderboardRow]:
    """The rows of leg counting's suite, in the order of its configuration."""
    rows = {row.teacher.defense: row for row in read_rows(DOCS / "leaderboard" / f"leg_counting-{version}")}
    return [rows[defense.label] for defense in load_config("leg_counting_suite").policies]


def test_the_committed_bench_is_what_its_rows_say() -> None:
    names = ("bench-epyc.json", "bench-xeon.json", "bench-2026-11-22.json")
    results = [json.loads((DOCS / name).read_text()) for name in names]
    assert (DOCS / "bench.md").read_text() == render_bench(*results)


def test_the_table_of_the_strongest_students_is_what_the_sweep_said() -> None:
    results = read_results(DOCS / "bestiary-suite.json")
    lines = (DOCS / "bestiary.md").read_text().splitlines()
    for teacher in results.teachers:
        assert f"| {' | '.join(strongest_cells(results, teacher))} |" in lines, teacher.defense


def strongest_cells(results: Results, teacher: TeacherRow) -> list[str]:
    """A defense's row: teacher, passive student, the strongest with and without public solutions, and its facts."""
    found = [row for row in results.of(teacher) if row.strongest]
    text, assisted = (next(row for row in found if row.threat_model.level == level) for level in ("text", "assisted"))
    passive, released = results.find(teacher.defense, "passive"), results.released(teacher.defense, 1500)
    assert released is not None
    assert text.facts is not None
    return [
        name_of(teacher),
        percent(teacher.accuracy, teacher.standard_error),
        f"{teacher.kl_per_trace:.2f}",
        percent(passive.accuracy, passive.standard_error),
        f"{percent(text.accuracy, text.standard_error)} ({text.student})",
        percent(assisted.accuracy, assisted.standard_error),
        f"{released.derivable.mean:.0f}",
        f"{text.facts.forced.mean:.0f}",
    ]


def test_the_table_of_the_suites_second_version_is_what_its_game_said() -> None:
    results = read_results(DOCS / "bestiary-v2.json")
    assert results.suite == "standard v2"
    lines = (DOCS / "bestiary.md").read_text().splitlines()
    for teacher in results.teachers:
        passive = results.find(teacher.defense, "passive")
        cells = [name_of(teacher), *(percent(row.accuracy, row.standard_error) for row in (teacher, passive))]
        for level in ("text", "assisted"):
            (row,) = [row for row in results.of(teacher) if row.strongest and row.threat_model.level == level]
            assert row.facts is not None
            cells += [
                f"{percent(row.accuracy, row.standard_error)} ({called(row.student, row.settings)})",
                f"{row.facts.forced.mean:.0f}",
            ]
        assert f"| {' | '.join(cells)} |" in lines, teacher.defense


def test_the_table_at_one_kl_is_what_its_sweep_said() -> None:
    results = read_results(DOCS / "bestiary-kl.json")
    lines = section((DOCS / "bestiary.md").read_text().splitlines(), "### At one KL")
    expected = []
    for teacher in results.teachers:
        passive = results.find(teacher.defense, "passive")
        (strongest,) = [row for row in results.of(teacher) if row.strongest]
        assert strongest.facts is not None
        cells = [
            name_of(teacher),
            percent(teacher.accuracy, teacher.standard_error),
            f"{teacher.kl_per_trace:.2f} ± {teacher.kl_standard_error:.2f}",
            percent(passive.accuracy, passive.standard_error),
            f"{percent(strongest.accuracy, strongest.standard_error)} ({strongest.student})",
            f"{strongest.facts.forced.mean:.0f}",
        ]
        expected.append(f"| {' | '.join(cells)} |")
    assert [line for line in lines if line.startswith("|")][2:] == expected
    defended = [each for each in results.comparisons if not {each.first, each.second} & {"standard", TEMPERED}]
    assert len(defended) == 36
    assert not any(each.difference.significant for each in defended)


def test_the_table_of_stronger_defenses_is_what_its_sweep_said() -> None:
    results = read_results(DOCS / "bestiary-strength.json")
    lines = section((DOCS / "bestiary.md").read_text().splitlines(), "### Stronger defenses")
    expected = []
    for teacher in results.teachers:
        passive, quarter, retold, inverted = (
            results.find(teacher.defense, student) for student in ("passive", "filter", "retold", "inverted")
        )
        assert quarter.accuracy > 0.5
        assert retold.seeds == [0]
        cells = [name_of(teacher), percent(teacher.accuracy, teacher.standard_error), f"{teacher.kl_per_trace:.2f}"]
        cells += [percent(row.accuracy, row.standard_error) for row in (passive, quarter)]
        cells += [f"{100 * retold.accuracy:.1f}", percent(inverted.accuracy, inverted.standard_error)]
        expected.append(f"| {' | '.join(cells)} |")
    assert [line for line in lines if line.startswith("|")][2:] == expected
    assert not any(each.difference.significant for each in results.comparisons)


def called(student: str, settings: dict[str, Any]) -> str:
    """A student as that table calls it."""
    if student == "composed":
        return ", then ".join(settings[part].partition(":")[0] for part in ("first", "then"))
    return f"{student} by {settings['value']}" if "value" in settings else student


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
