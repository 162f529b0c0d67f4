"""Which rows of a game a reader looks for first: the passive student, the strongest one, the controls."""

from dataclasses import dataclass

from distillgame.records import Level, Results, StudentRow, TeacherRow

CONTROLS = {
    "untrained": "The attacker's model before any training: where leakage starts.",
    "reference": "Trained on public worked solutions alone: what an attacker has without the teacher.",
    "eta_zero": "The adaptive trainer with all weights equal: should do what the passive student does.",
    "shuffled": "The adaptive student's weights in random order: what weighing does whatever the weights mean.",
    "oracle": "Knows undefended traces, which no real attacker has: what better knowledge could still gain.",
}
"""Students that are no attacks, and what each is for."""

POLICY_CONTROLS = {
    "temperature": "Sampling made hotter, with no idea of what teaches: any defense must beat it at equal accuracy.",
    "permutation": "A disturbance as strong as the defense's but without its direction: what noise alone protects.",
}
"""Policies that are no defenses, and what each is for."""

UNDEFENDED = "standard"
"""The policy that changes nothing."""


@dataclass(frozen=True)
class Strongest:
    """The strongest student of a defense.

    Attributes:
        row: Its row.
        chosen: Whether it was chosen on the validation split; else it is the best on the evaluated one, which flatters.
    """

    row: StudentRow
    chosen: bool


def query_counts(results: Results) -> list[int]:
    """The numbers of traces that students asked for, in rising order, without those that ask for none."""
    return sorted({row.threat_model.queries for row in results.students} - {0})


def students_at(results: Results, teacher: TeacherRow, queries: int | None = None) -> list[StudentRow]:
    """A defense's students of one number of queries (the largest by default), and those that ask for nothing."""
    counts = query_counts(results)
    return results.of(teacher, (counts[-1] if counts else 0) if queries is None else queries)


def levels(results: Results) -> list[Level]:
    """The levels beyond ``text`` at which a student attacks."""
    found = {row.threat_model.level for row in results.students if control_name(row) is None}
    beyond: list[Level] = ["assisted", "informed"]
    return [level for level in beyond if level in found]


def control_name(row: StudentRow) -> str | None:
    """Which control a student is; None if it is an attack."""
    name = "eta_zero" if row.control and row.settings.get("eta") == 0 else row.student
    return name if row.control or name in CONTROLS else None


def is_control(teacher: TeacherRow) -> bool:
    """Whether a policy is there for comparison, rather than as a defense."""
    return teacher.control or teacher.policy in POLICY_CONTROLS


def passive(results: Results, teacher: TeacherRow, queries: int | None = None) -> StudentRow | None:
    """The student that trains on all traces alike."""
    rows = students_at(results, teacher, queries)
    return next((row for row in rows if row.student == "passive" and control_name(row) is None), None)


def control(results: Results, teacher: TeacherRow, name: str) -> StudentRow | None:
    """The control of a name."""
    return next((row for row in students_at(results, teacher) if control_name(row) == name), None)


def strongest(
    results: Results, teacher: TeacherRow, level: Level = "text", queries: int | None = None
) -> Strongest | None:
    """The student that was chosen on validation, or the best attack where none was; None where none attacks."""
    rows = [row for row in students_at(results, teacher, queries) if row.threat_model.level == level]
    attacks = [row for row in rows if control_name(row) is None]
    if chosen := [row for row in attacks if row.strongest]:
        return Strongest(chosen[0], chosen=True)
    return Strongest(max(attacks, key=lambda row: row.accuracy), chosen=False) if attacks else None
