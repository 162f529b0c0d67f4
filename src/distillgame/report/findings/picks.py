"""The rows of a game that a reader looks for first: the passive student, the strongest one, the controls."""

from dataclasses import dataclass

from distillgame.records import Level, ReleaseRow, Results, StudentRow, TeacherRow

CONTROLS = {
    "untrained": "The attacker's model before any training: the level from which leakage starts.",
    "reference": "Trained on public worked solutions only: the accuracy that an attacker reaches without the teacher.",
    "eta_zero": "The adaptive trainer with all weights equal: it should match the passive student.",
    "shuffled": "The adaptive student's weights in random order: the effect of weighing without the weights' meaning.",
    "oracle": "Knows undefended traces, which no real attacker has: the gain that better knowledge could still bring.",
}
"""Students that are no attacks, and the purpose of each."""

POLICY_CONTROLS = {
    "temperature": "Sampling at a higher temperature, blind to what teaches: a defense must beat it at equal accuracy.",
    "permutation": "A disturbance as strong as the defense's but without its direction: the protection by noise alone.",
}
"""Policies that are no defenses, and the purpose of each."""

UNDEFENDED = "standard"
"""The policy that changes nothing."""


@dataclass(frozen=True)
class Strongest:
    """The strongest student of a defense.

    Attributes:
        row: Its row.
        chosen: Whether it was chosen on the validation split; if not, it is the best on the evaluated split, which
            overstates it.
    """

    row: StudentRow
    chosen: bool


def query_counts(results: Results) -> list[int]:
    """Return the numbers of traces that students asked for, ascending, without zero."""
    return sorted({row.threat_model.queries for row in results.students} - {0})


def students_at(results: Results, teacher: TeacherRow, queries: int | None = None) -> list[StudentRow]:
    """Return a defense's students at one number of queries (by default the largest), and those that ask for nothing."""
    counts = query_counts(results)
    return results.of(teacher, (counts[-1] if counts else 0) if queries is None else queries)


def released(results: Results, teacher: TeacherRow, queries: int | None = None) -> ReleaseRow | None:
    """Return the facts that a defense released to the largest number of queries, or to ``queries``."""
    counts = query_counts(results)
    return results.released(teacher, (counts[-1] if counts else 0) if queries is None else queries)


def most_facts(results: Results, teacher: TeacherRow) -> float | None:
    """Return the most private facts that any attacker learnt from a defense; None if they are not counted."""
    rows = [row for row in students_at(results, teacher) if control_name(row) is None]
    return max((row.facts.forced.mean for row in rows if row.facts is not None), default=None)


def levels(results: Results) -> list[Level]:
    """Return the levels beyond ``text`` at which a student attacks."""
    found = {row.threat_model.level for row in results.students if control_name(row) is None}
    beyond: list[Level] = ["assisted", "informed"]
    return [level for level in beyond if level in found]


def control_name(row: StudentRow) -> str | None:
    """Return the name of the control that a student is; None if it is an attack."""
    name = "eta_zero" if row.control and row.settings.get("eta") == 0 else row.student
    return name if row.control or name in CONTROLS else None


def is_control(teacher: TeacherRow) -> bool:
    """Return whether a policy was played for comparison rather than as a defense."""
    return teacher.control or teacher.policy in POLICY_CONTROLS


def passive(results: Results, teacher: TeacherRow, queries: int | None = None) -> StudentRow | None:
    """Return the student that trains on all traces with equal weights."""
    rows = students_at(results, teacher, queries)
    return next((row for row in rows if row.student == "passive" and control_name(row) is None), None)


def control(results: Results, teacher: TeacherRow, name: str) -> StudentRow | None:
    """Return the control called ``name``."""
    return next((row for row in students_at(results, teacher) if control_name(row) == name), None)


def strongest(
    results: Results, teacher: TeacherRow, level: Level = "text", queries: int | None = None
) -> Strongest | None:
    """Return the student chosen on validation, or the best attack if none was chosen; None without an attack."""
    rows = [row for row in students_at(results, teacher, queries) if row.threat_model.level == level]
    attacks = [row for row in rows if control_name(row) is None]
    if chosen := [row for row in attacks if row.strongest]:
        return Strongest(chosen[0], chosen=True)
    return Strongest(max(attacks, key=lambda row: row.accuracy), chosen=False) if attacks else None
