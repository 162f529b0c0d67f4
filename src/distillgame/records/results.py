"""The schema of ``results.json``: one row for each (policy, strength, student) over all seeds."""

import json
from pathlib import Path
from typing import Any

from pydantic import Field

from distillgame.errors import DistillgameError
from distillgame.records.facts import ReleaseRow
from distillgame.records.legibility import Legibility
from distillgame.records.rows import ComparisonRow, FlagRow, StudentRow, TeacherRow
from distillgame.strict import Strict, parse

SCHEMA = 2
"""Incremented whenever a field changes its meaning or is removed."""


class Results(Strict):
    """One game.

    Attributes:
        schema_version: :data:`SCHEMA`, called ``schema`` in the file.
        command: The command that made it.
        versions: Versions of Python and of the libraries that matter.
        device: The kind of device it ran on.
        task: The task's name.
        split: The split that is reported.
        models: Sources of teacher, proxy and student.
        hashes: Hashes of the models, the problems and the configuration.
        suite: The frozen suite that was played (``standard v1``), or None.
        teachers: One row per defense.
        students: One row per defense, student and number of queries.
        comparisons: One row per pair of defenses, between their strongest students.
        facts: One row per defense and number of queries, where the task has private facts.
        legibility: What judges make of the traces; None if nobody judged them.
        flags: Caveats that a reader must know before trusting a row.
        config: The whole configuration.
    """

    schema_version: int = Field(SCHEMA, alias="schema", ge=SCHEMA, le=SCHEMA)
    command: str
    versions: dict[str, str]
    device: str
    task: str
    split: str
    models: dict[str, str | None]
    hashes: dict[str, str]
    suite: str | None
    teachers: list[TeacherRow]
    students: list[StudentRow]
    comparisons: list[ComparisonRow]
    facts: list[ReleaseRow] = Field(default_factory=list)
    legibility: Legibility | None = None
    flags: list[FlagRow]
    config: dict[str, Any]

    def write(self, path: Path) -> None:
        """Write ``results.json``, completely or not at all."""
        partial = path.with_name(path.name + ".partial")
        partial.write_text(json.dumps(self.model_dump(mode="json", by_alias=True), indent=1) + "\n", encoding="utf-8")
        partial.replace(path)

    @property
    def students_played(self) -> str:
        """The suite, marked if anything in it was changed."""
        if self.suite is None:
            return "custom"
        is_changed = any(row.suite == "custom" for row in self.students if not row.control)
        return f"{self.suite}, changed" if is_changed else self.suite

    def find(self, defense: str, student: str) -> StudentRow:
        """Return the first row of a student under a defense, which is named in full or by its policy.

        Raises:
            KeyError: If there is none.
        """
        for row in self.students:
            if defense in (row.defense, row.defense.partition(" ")[0]) and student in (row.student, row.label):
                return row
        raise KeyError(f"no student '{student}' under '{defense}'")

    def released(self, defense: TeacherRow | str, queries: int) -> ReleaseRow | None:
        """Return the private facts that a defense released to ``queries`` queries; None where they are not counted."""
        name = defense if isinstance(defense, str) else defense.defense
        return next((row for row in self.facts if (row.defense, row.queries) == (name, queries)), None)

    def of(self, defense: TeacherRow | str, queries: int | None = None) -> list[StudentRow]:
        """Return the students of a defense (a row or its name): all, or those with ``queries`` queries or none."""
        name = defense if isinstance(defense, str) else defense.defense
        return [
            row
            for row in self.students
            if row.defense == name and (queries is None or row.threat_model.queries in (0, queries))
        ]


def read_results(path: Path) -> Results:
    """Read ``results.json``.

    Raises:
        DistillgameError: If the file is missing, not JSON, or of another schema.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DistillgameError(f"{path}: no such file") from error
    except (OSError, ValueError) as error:
        raise DistillgameError(f"{path}: not readable JSON") from error
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        raise DistillgameError(f"{path}: not results of schema {SCHEMA}")
    return parse(Results, data, str(path))
