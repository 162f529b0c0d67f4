import re
from pathlib import Path
from typing import Any

from distillgame.records import Difference, Results, StudentRow, TeacherRow, ThreatModel
from distillgame.report import draw_frontier, header, markdown_summary, rows


def results() -> Results:
    shared: dict[str, Any] = {"n": 100, "seeds": [0, 1], "accuracies": [0.5, 0.6], "finish_rate": 1.0}

    def teacher(policy: str, strength: dict[str, float], accuracy: float) -> TeacherRow:
        return TeacherRow(
            policy=policy, strength=strength, control=False, accuracy=accuracy, standard_error=0.01, kl_per_trace=1.234,
            kl_standard_error=0.01, time_cost=1.5, time_cost_range=None, accuracy_if_finished=accuracy, mean_tokens=40,
            **shared,
        )  # fmt: skip

    def student(policy: str, strength: dict[str, float], name: str, accuracy: float, over: float | None) -> StudentRow:
        return StudentRow(
            policy=policy, strength=strength, student=name, settings={}, control=name == "untrained",
            threat_model=ThreatModel(base_model="embedded:student", queries=1500, objective="reference"),
            accuracy=accuracy, standard_error=0.015, accuracy_if_finished=accuracy, rho=0.5,
            over_passive=None if over is None else Difference(value=over, standard_error=0.012), **shared,
        )  # fmt: skip

    policies: list[tuple[str, dict[str, float], float]] = [
        ("standard", {}, 0.93),
        ("poe", {"gamma": 0.3}, 0.9),
        ("poe", {"gamma": 0.5}, 0.84),
    ]
    return Results(
        schema=1,
        command="distillgame play",
        versions={"distillgame": "0.1.0"},
        device="cpu",
        task="leg_counting",
        split="test",
        models={"teacher": "t", "proxy": "p", "student": "s"},
        teachers=[teacher(*policy) for policy in policies],
        students=[
            row
            for policy, strength, accuracy in policies
            for row in (
                student(policy, strength, "untrained", 0.3, -0.2),
                student(policy, strength, "passive", accuracy - 0.4, None),
                student(policy, strength, "adaptive", accuracy - 0.2, 0.2),
            )
        ],
        config={},
    )


def test_the_table_has_a_row_for_each_strength() -> None:
    table = [dict(zip(header(results()), cells, strict=True)) for cells in rows(results())]
    assert [row["policy"] for row in table] == ["standard", "poe 0.3", "poe 0.5"]
    assert table[2] == {
        "policy": "poe 0.5",
        "teacher": "84.0 ± 1.0",
        "untrained": "30.0 ± 1.5",
        "passive": "44.0 ± 1.5",
        "adaptive": "64.0 ± 1.5",
        "gain": "+20.0 ± 1.2 (+45%)",
        "KL": "1.23",
        "finished": "100%",
        "cost": "1.50",
    }


def test_the_summary_is_a_markdown_table_with_the_threat_model() -> None:
    text = markdown_summary(results())
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in lines}) == 1
    assert len(lines) == 2 + 3
    assert "Made by `distillgame play` with distillgame 0.1.0." in text
    assert re.search(r"released text only \(1500 traces a seed\).* objective reference", text)


def test_the_figure_is_drawn_whole(tmp_path: Path) -> None:
    draw_frontier(results(), tmp_path / "frontier.png")
    assert (tmp_path / "frontier.png").read_bytes().startswith(b"\x89PNG")
    assert len(list(tmp_path.iterdir())) == 1


def test_students_of_one_name_keep_a_column_each(tmp_path: Path) -> None:
    once = results()
    adaptive = [row for row in once.students if row.student == "adaptive"]
    second = [row.model_copy(update={"settings": {"eta": 2.0}, "accuracy": 0.123}) for row in adaptive]
    first = [row.model_copy(update={"settings": {"eta": 4.0}}) for row in adaptive]
    others = [row for row in once.students if row.student != "adaptive"]
    twice = once.model_copy(update={"students": [*others, *first, *second]})
    titles = header(twice)
    assert {"adaptive 2", "adaptive 4"} < set(titles)
    assert all(cells[titles.index("adaptive 2")].startswith("12.3") for cells in rows(twice))
    draw_frontier(twice, tmp_path / "frontier.png")
