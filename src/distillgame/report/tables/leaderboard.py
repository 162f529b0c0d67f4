"""Leaderboards: tables of a folder of JSON rows, one per defense."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from distillgame.errors import DistillgameError
from distillgame.records import FlagRow, Results, StudentRow, TeacherRow
from distillgame.report.findings import percent
from distillgame.strict import Strict, parse


class LeaderboardRow(Strict):
    """One defense, its students and their provenance; fields as in :class:`distillgame.records.Results`."""

    teacher: TeacherRow
    students: list[StudentRow]
    flags: list[FlagRow]
    command: str
    task: str
    split: str
    suite: str | None
    versions: dict[str, str]
    hashes: dict[str, str]
    models: dict[str, str | None]
    device: str
    config: dict[str, Any]

    @property
    def strongest(self) -> StudentRow | None:
        """The strongest student that trains on released text alone."""
        found = [row for row in self.students if row.strongest and row.threat_model.level == "text"]
        return max(found, key=lambda row: row.threat_model.queries, default=None)

    @property
    def kind(self) -> tuple[str, str, str]:
        """The properties that comparable rows share: task and problems, suite, and the student model."""
        suites = {row.suite for row in self.students if not row.control}
        suite = self.suite or "no suite"
        queries = 0 if self.strongest is None else self.strongest.threat_model.queries
        return (
            f"{self.task} {self.split} (problems {self.hashes['problems'][:8]})",
            suite if "custom" not in suites else f"{suite}, changed",
            f"{self.models['student']} with {queries} queries",
        )


def leaderboard_rows(results: Results) -> dict[str, LeaderboardRow]:
    """Return the rows of a game by defense."""
    shared = ("command", "task", "split", "suite", "versions", "hashes", "models", "device", "config")
    return {
        teacher.defense: LeaderboardRow(
            teacher=teacher,
            students=results.of(teacher),
            flags=[flag for flag in results.flags if flag.defense in (None, teacher.defense)],
            **{name: getattr(results, name) for name in shared},
        )
        for teacher in results.teachers
    }


def read_rows(folder: Path) -> list[LeaderboardRow]:
    """Read all rows in a folder and the folders below it.

    Raises:
        DistillgameError: If there is none, or one is not readable.
    """
    rows = []
    for path in sorted(folder.rglob("rows/*.json")) or sorted(folder.glob("*.json")):
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise DistillgameError(f"{path}: not readable JSON") from error
        if not isinstance(data, dict):
            raise DistillgameError(f"{path}: a row is a mapping of names to values")
        rows.append(parse(LeaderboardRow, data, str(path)))
    if not rows:
        raise DistillgameError(f"{folder}: holds no rows (a run writes them to its folder 'rows')")
    return rows


def render_leaderboard(rows: Sequence[LeaderboardRow]) -> str:
    """Return Markdown tables, one for each kind of row, least leakage first."""
    lines = ["# Leaderboard", ""]
    for kind in sorted({row.kind for row in rows}):
        here = [row for row in rows if row.kind == kind]
        here.sort(key=lambda row: 2.0 if row.strongest is None else row.strongest.accuracy)
        lines += [
            f"## {', '.join(kind)}",
            "",
            "| defense | teacher | strongest student | its name | KL | cost | flags |",
        ]
        lines.append("| --- | ---: | ---: | --- | ---: | ---: | --- |")
        lines += [_line(row) for row in here]
        lines.append("")
    return "\n".join(lines)


def _line(row: LeaderboardRow) -> str:
    teacher, student = row.teacher, row.strongest
    kl = "–" if teacher.kl_per_trace is None else f"{teacher.kl_per_trace:.2f}"
    cost = "–" if teacher.time_cost is None else f"{teacher.time_cost:.2f}"
    leaked = "–" if student is None else percent(student.accuracy, student.standard_error)
    flags = ", ".join(sorted({flag.flag for flag in row.flags}))
    cells = [teacher.defense, percent(teacher.accuracy, teacher.standard_error), leaked]
    return f"| {' | '.join([*cells, '–' if student is None else student.label, kl, cost, flags])} |"
