import re

from distillgame.records import Results
from distillgame.report import header, markdown_summary, name_of, rows, students_of

from ..fixtures import DEFENSES, PLAIN, SUITE, Defense, game


def table(results: Results) -> list[dict[str, str]]:
    return [dict(zip(header(results), cells, strict=True)) for cells in rows(results)]


def test_a_plain_game_lists_its_students_by_name() -> None:
    assert table(game(students=PLAIN))[2] == {
        "policy": "poe 0.5",
        "teacher": "84.6 ± 0.9",
        "untrained": "31.0 ± 1.5",
        "passive": "49.9 ± 1.5",
        "adaptive": "82.8 ± 1.5",
        "gain": "+32.9 ± 1.2 (+66%)",
        "KL": "1.30",
        "finished": "100%",
        "cost": "1.72",
    }


def test_a_suite_is_one_row_with_the_strongest_student() -> None:
    cells = table(game())
    assert [row["policy"] for row in cells] == ["standard", "temperature 1.15", "poe 0.5", "ads 0.2", "permutation 0.7"]
    assert cells[3] == {
        "policy": "ads 0.2",
        "teacher": "83.9 ± 0.9",
        "untrained": "31.0 ± 1.5",
        "reference": "40.2 ± 1.5",
        "passive": "34.7 ± 1.5",
        "strongest": "77.6 ± 1.5 (adaptive eta=4)",
        "gain": "+42.9 ± 1.2 (+124%)",
        "KL": "2.13",
        "finished": "100%",
        "cost": "2.29",
    }


def test_a_difference_that_may_be_chance_is_called_so() -> None:
    assert table(game())[0]["gain"] == "+0.5 ± 1.2, not significant"


def test_the_strongest_student_is_of_the_level_text() -> None:
    """The informed student is stronger, and no match for the passive one."""
    informed = game().find("ads", "proxy_aware")
    assert informed.accuracy > game().find("ads", "adaptive eta=4").accuracy
    assert "proxy_aware" not in table(game())[3]["strongest"]


def test_students_of_one_name_keep_a_column_each() -> None:
    students = [attack for attack in SUITE if attack.name == "adaptive" and not attack.control]
    plain = game(students=[*PLAIN[:2], *students])
    unchosen = [row.model_copy(update={"strongest": False}) for row in plain.students]
    titles = header(plain.model_copy(update={"students": unchosen}))
    assert titles[2:7] == ["untrained", "passive", "adaptive 1", "adaptive 2", "adaptive 4"]


def test_a_student_that_a_defense_lacks_is_a_dash() -> None:
    plain = game(students=PLAIN)
    rest = [row for row in plain.students if (row.defense, row.student) != ("standard", "adaptive")]
    cells = table(plain.model_copy(update={"students": rest}))
    assert (cells[0]["adaptive"], cells[0]["gain"]) == ("–", "–")
    assert cells[1]["adaptive"] != "–"


def test_students_are_those_with_the_most_queries() -> None:
    results = game(queries=(250, 1500))
    found = students_of(results, results.teachers[2])
    assert {row.threat_model.queries for row in found.values()} == {0, 1500}
    assert table(results) == table(game())


def test_a_name_says_what_is_unusual() -> None:
    poe = game().teachers[2]
    assert name_of(poe) == "poe 0.5"
    several = poe.model_copy(update={"proxies": {"proxy": 1.0, "olmo2": 2.0}, "combine": "mean", "form": "summary"})
    assert name_of(several) == "poe 0.5 (proxy 1, olmo2 2, mean, summary)"
    assert name_of(poe.model_copy(update={"form": "answer_only"})) == "poe 0.5 (answer_only)"


def test_the_summary_says_what_came_out_and_under_what_threat() -> None:
    text = markdown_summary(game())
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in lines}) == 1
    assert len(lines) == 2 + 5
    assert "**ads 0.2 leaked least.**" in text
    assert "Made by `distillgame play suite --out runs/suite` with distillgame 0.1.0 on cpu" in text
    assert "- poe 0.5 vs ads 0.2: +5.2 ± 1.4 [2.4, 8.0], p < .001\n" in text
    assert "- poe 0.5 vs permutation 0.7: +0.2 ± 1.4 [-2.6, 3.0], p = .89, not significant\n" in text
    assert "- **edge_of_suite** (ads 0.2, adaptive eta=4): The strongest" in text
    assert "- **custom_suite** (the whole game): 2 students" in text
    assert re.search(r"- text: sees released text only \(1500 traces per seed\); objective reference, released", text)
    assert re.search(r"- informed: .* some know the proxy", text)


def test_a_summary_without_a_suite_has_no_flags_and_no_comparisons() -> None:
    text = markdown_summary(game(students=PLAIN))
    assert "No flags." in text
    assert "## Comparisons" not in text
    assert "queries.png" not in text
    assert "queries.png" in markdown_summary(game(queries=(250, 1500)))


def test_the_summary_has_the_area_between_the_curves_of_a_policy() -> None:
    assert "Area between" not in markdown_summary(game())
    weaker = Defense("poe", {"gamma": 0.3}, 0.746, 0.399, 0.628)
    # Two trapezoids of the same height: (22.9 + 32.9) / 2 points of leakage over 10 points of teacher accuracy.
    assert "strongest student's curve: poe 279 square points." in markdown_summary(game([*DEFENSES, weaker]))
