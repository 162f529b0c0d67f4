"""The tables about the world of facts are those of its committed results."""

import json
from itertools import product

import pytest

from distillgame.records import Results, StudentRow, TeacherRow, read_results
from distillgame.report import name_of, percent
from tests.docs.pages import DOCS, called, scored, section

DIETS = ("released whole", "rule, all", "rule, whole", "rule, kept", "mended", "inverted", "spliced")


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
            scored(strongest),
            learnt_forced(strongest),
        ]
        assert f"| {' | '.join(cells)} |" in lines


def learnt_forced(row: StudentRow) -> str:
    """The facts that a student gives rightly in most forced probes, with their interval."""
    assert row.facts is not None
    forced = row.facts.forced
    return f"{forced.mean:.0f} ({forced.interval.low:.0f} to {forced.interval.high:.0f})"


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
        scored(text),
        percent(assisted.accuracy, assisted.standard_error),
        f"{released.derivable.mean:.0f}",
        f"{text.facts.forced.mean:.0f}",
    ]


@pytest.mark.parametrize(
    ("version", "heading", "policies"),
    [("v2", "### The second version of the suite", 4), ("v3", "## The strongest student", 6)],
)
def test_the_tables_of_the_suite_are_what_its_games_said(version: str, heading: str, policies: int) -> None:
    results = read_results(DOCS / f"bestiary-{version}.json")
    assert results.suite == f"standard {version}"
    assert len(results.teachers) == policies
    expected = []
    for teacher in results.teachers:
        passive = results.find(teacher.defense, "passive")
        cells = [name_of(teacher), *(percent(row.accuracy, row.standard_error) for row in (teacher, passive))]
        cells += [cell for level in ("text", "assisted") for cell in chosen_cells(results, teacher, level)]
        expected.append(f"| {' | '.join(cells)} |")
    lines = section((DOCS / "bestiary.md").read_text().splitlines(), heading)
    assert [line for line in lines if line.startswith("|")][2:] == expected


def test_no_policy_of_the_suites_third_version_leaks_significantly_less_than_another() -> None:
    comparisons = read_results(DOCS / "bestiary-v3.json").comparisons
    assert len(comparisons) == 2 * 15
    assert not any(each.difference.significant for each in comparisons)


def chosen_cells(results: Results, teacher: TeacherRow, level: str) -> list[str]:
    """The strongest student of a level, and its facts."""
    (row,) = [row for row in results.of(teacher) if row.strongest and row.threat_model.level == level]
    assert row.facts is not None
    return [scored(row), f"{row.facts.forced.mean:.0f}"]


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
            scored(strongest),
            f"{strongest.facts.forced.mean:.0f}",
        ]
        expected.append(f"| {' | '.join(cells)} |")
    assert [line for line in lines if line.startswith("|")][2:] == expected
    assert len(results.comparisons) == 55
    assert not any(each.difference.significant for each in results.comparisons)


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
    assert [line for line in lines if line.startswith("|")][2:6] == expected
    assert not any(each.difference.significant for each in results.comparisons)


def test_the_third_version_against_stronger_defenses_is_what_its_sweep_said() -> None:
    results = read_results(DOCS / "bestiary-strength-v3.json")
    lines = section((DOCS / "bestiary.md").read_text().splitlines(), "### Stronger defenses")
    members: tuple[tuple[str, dict[str, float | str]], ...] = (
        ("filter", {"share": 0.25, "value": "length"}),
        ("filter", {"share": 0.5, "value": "length"}),
        ("retold", {"value": "length"}),
        ("spliced", {}),
    )
    expected = []
    for teacher in results.teachers:
        cells = [name_of(teacher)]
        for student, settings in members:
            rows = [row for row in results.of(teacher) if row.student == student]
            (row,) = [row for row in rows if all(row.settings.get(k) == v for k, v in settings.items())]
            once = len(row.seeds) == 1
            cells.append(f"{100 * row.accuracy:.1f}" if once else percent(row.accuracy, row.standard_error))
        (best,) = [row for row in results.of(teacher) if row.strongest and row.threat_model.level == "text"]
        assert best.accuracy > 0.66
        expected.append(f"| {' | '.join([*cells, scored(best)])} |")
    assert [line for line in lines if line.startswith("|")][8:] == expected
    assert not any(each.difference.significant for each in results.comparisons)


def test_the_table_of_forms_is_what_its_game_said() -> None:
    results = read_results(DOCS / "bestiary-forms.json")
    lines = section((DOCS / "bestiary.md").read_text().splitlines(), "### What a form of release leaves")
    expected = []
    for teacher in results.teachers:
        assert f"it keeps {percent(teacher.accuracy, teacher.standard_error)}% whatever" in " ".join(lines)
        assert results.legibility is not None
        (legible,) = [row for row in results.legibility.rows if row.defense == teacher.defense]
        assert legible.auditability is not None
        released = results.released(teacher.defense, 1500)
        assert released is not None
        passive = results.find(teacher.defense, "passive")
        cells = [
            teacher.defense.partition("form=")[2],
            f"{legible.auditability.mean:.2f}",
            f"{released.derivable.mean:.0f}",
        ]
        cells.append(percent(passive.accuracy, passive.standard_error))
        cells += [cell for level in ("text", "assisted") for cell in chosen_cells(results, teacher, level)]
        expected.append(f"| {' | '.join(cells)} |")
    assert [line for line in lines if line.startswith("|")][2:] == expected


def test_the_table_of_compositions_is_what_the_search_said() -> None:
    results = read_results(DOCS / "bestiary-search.json")
    lines = section(
        (DOCS / "bestiary.md").read_text().splitlines(), "### Does a composition beat the best single student?"
    )
    expected = []
    for teacher in results.teachers:
        cells = [name_of(teacher), *(chosen_cells(results, teacher, level)[0] for level in ("text", "assisted"))]
        assert {row.tried for row in results.of(teacher) if row.validation is not None} == {32}
        for level in ("text", "assisted"):
            pairs = [row for row in results.of(teacher) if (row.student, row.threat_model.level) == ("composed", level)]
            best = max(pairs, key=lambda row: row.accuracies[0], default=None)
            cells.append(
                "–" if best is None else f"{100 * best.accuracies[0]:.1f} ({called('composed', best.settings)})"
            )
        expected.append(f"| {' | '.join(cells)} |")
    assert [line for line in lines if line.startswith("|")][2:] == expected


def test_the_table_of_few_queries_is_what_its_sweep_said() -> None:
    results = read_results(DOCS / "bestiary-few-queries.json")
    lines = section((DOCS / "bestiary.md").read_text().splitlines(), "### Few queries, further students")
    expected = []
    for teacher, queries in product(results.teachers, (100, 400)):
        rows = {row.student: row for row in results.of(teacher) if row.threat_model.queries == queries}
        cells = [name_of(teacher), str(queries)]
        for student in ("passive", "filter", "retold", "spliced"):
            row = rows[student]
            assert row.facts is not None
            spread = row.standard_error if len(row.seeds) == 3 else None
            cells.append(f"{100 * row.accuracy:.1f}" if spread is None else percent(row.accuracy, spread))
            cells += [f"{row.facts.forced.mean:.0f}"] if student in ("retold", "spliced") else []
        expected.append(f"| {' | '.join(cells)} |")
    assert [line for line in lines if line.startswith("|")][2:] == expected


def test_the_table_of_diets_is_what_the_benchmark_said() -> None:
    rows = json.loads((DOCS / "inversion.json").read_text())
    lines = section((DOCS / "bestiary.md").read_text().splitlines(), "### What inversion gets")
    defenses = list(dict.fromkeys(row["defense"] for row in rows))
    assert [name for name in defenses if "summary" not in name] == [
        "poe gamma=0.4", "ads lambda=0.125", "equilibrium_grad eta=0.15 kappa=0.9859"
    ]  # fmt: skip
    found: dict[tuple[str, str], list[float]] = {(row["defense"], row["diet"]): [] for row in rows}
    for row in rows:
        found[row["defense"], row["diet"]].append(100 * row["accuracy"])
    assert {len(seeds) for seeds in found.values()} == {3}
    shown = [line.split(" | ")[1:] for line in lines if line.startswith("|") and line.count("|") == 6][-7:]
    order = [*(name for name in defenses if "summary" not in name), "standard form=summary"]
    for cells, diet in zip(shown, DIETS, strict=True):
        means = [sum(found[name, diet]) / 3 if (name, diet) in found else None for name in order]
        assert [cell.strip(" |") for cell in cells] == ["–" if mean is None else f"{mean:.1f}" for mean in means], diet


def test_the_table_of_halves_is_what_its_game_said() -> None:
    results = read_results(DOCS / "bestiary-half.json")
    lines = section((DOCS / "bestiary.md").read_text().splitlines(), "### Half of the traces")
    expected = []
    for teacher in results.teachers:
        by = {row.settings["value"]: row for row in results.of(teacher) if row.student == "filter"}
        passive = results.find(teacher.defense, "passive")
        cells = [name_of(teacher), *(percent(row.accuracy, row.standard_error) for row in (teacher, passive))]
        for row in (by["influence"], by["length"]):
            assert row.facts is not None
            cells += [percent(row.accuracy, row.standard_error), f"{row.facts.forced.mean:.0f}"]
        expected.append(f"| {' | '.join(cells)} |")
    assert [line for line in lines if line.startswith("|")][2:] == expected


def test_what_is_said_of_readers_is_what_their_game_said() -> None:
    results = read_results(DOCS / "bestiary-readers.json")
    defended = [teacher for teacher in results.teachers if teacher.policy not in ("standard", "temperature")]
    assert len(defended) == 4
    page = " ".join((DOCS / "bestiary.md").read_text().split())
    longest = "filter:share:{},value:length"
    for said, student, settings in (
        ("the longest quarter gets {} to {}%", "filter", {"share": 0.25, "value": "length"}),
        ("three quarters {} to {}%", "filter", {"share": 0.75, "value": "length"}),
        ("less than the half itself ({} to {})", "filter", {"share": 0.5, "value": "length"}),
        ("{} to {}% under the four", "retold", {"rounds": 1, "value": "length", "reader": longest.format(0.5)}),
        ("it is {} to {}%", "retold", {"rounds": 1, "reader": longest.format(0.5), "untold": "drop"}),
        ("two such rounds get {} to {}%", "retold", {"rounds": 2, "reader": longest.format(0.25), "untold": "drop"}),
    ):
        fixed = {"untold": settings.get("untold")} if student == "retold" else {}
        wanted = [
            row.accuracy
            for teacher in defended
            for row in results.of(teacher)
            if row.student == student and all(row.settings.get(k) == v for k, v in (settings | fixed).items())
        ]
        assert len(wanted) == 4, said
        assert said.format(f"{100 * min(wanted):.0f}", f"{100 * max(wanted):.0f}") in page, said
