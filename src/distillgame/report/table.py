"""The table of a game: one row a policy, utility, leakage and cost side by side."""

from collections.abc import Sequence

from distillgame.records import Results, StudentRow, TeacherRow

CAPTION = (
    "Accuracies in percent ± standard error (over problems and seeds). Gain is the (first) adaptive student's accuracy "
    "minus the passive one's, paired; in brackets relative to the passive one. KL is nats a trace; cost is seconds a "
    "token relative to standard sampling in the same engine."
)


DEFENSE = ("policy", "strength", "proxies", "combine")
"""The fields that say which defense a row is about."""


def header(results: Results) -> list[str]:
    """Column titles."""
    return ["policy", "teacher", *_students(results), "gain", "KL", "finished", "cost"]


def rows(results: Results) -> list[list[str]]:
    """Cells as text, one list a policy."""
    return [_row(results, teacher) for teacher in results.teachers]


def name_of(row: TeacherRow | StudentRow) -> str:
    """A policy's name with its strength, and its proxies where they are not the usual one."""
    name = " ".join([row.policy, *(f"{value:.4g}" for value in row.strength.values())])
    if set(row.proxies) <= {"proxy"}:
        return name
    equal = len(set(row.proxies.values())) == 1
    proxies = [proxy if equal else f"{proxy} {weight:g}" for proxy, weight in row.proxies.items()]
    return f"{name} ({', '.join([*proxies, *([row.combine] if row.combine else [])])})"


def students_of(results: Results, teacher: TeacherRow) -> dict[str, StudentRow]:
    """The students of a policy, by name; by name and settings where a game has several of a name."""
    rows = [row for row in results.students if all(getattr(row, key) == getattr(teacher, key) for key in DEFENSE)]
    names = [row.student for row in rows]
    return {row.student if names.count(row.student) == 1 else _with_settings(row): row for row in rows}


def percent(value: float, error: float) -> str:
    """An accuracy with its standard error."""
    return f"{100 * value:.1f} ± {100 * error:.1f}"


def _with_settings(row: StudentRow) -> str:
    return " ".join([row.student, *(f"{value:g}" for value in row.settings.values())])


def _students(results: Results) -> Sequence[str]:
    return list(students_of(results, results.teachers[0]))


def _row(results: Results, teacher: TeacherRow) -> list[str]:
    students = students_of(results, teacher)
    cells = [percent(s.accuracy, s.standard_error) for s in (students[name] for name in _students(results))]
    finished = min(teacher.finish_rate, *(student.finish_rate for student in students.values()))
    kl = "–" if teacher.kl_per_trace is None else f"{teacher.kl_per_trace:.2f}"
    cost = "–" if teacher.time_cost is None else f"{teacher.time_cost:.2f}"
    utility = percent(teacher.accuracy, teacher.standard_error)
    return [name_of(teacher), utility, *cells, _gain(students), kl, f"{100 * finished:.0f}%", cost]


def _gain(students: dict[str, StudentRow]) -> str:
    adaptive = next((row for row in students.values() if row.student == "adaptive"), None)
    passive = students.get("passive")
    if adaptive is None or passive is None or adaptive.over_passive is None:
        return "–"
    gain = adaptive.over_passive
    relative = f" ({100 * gain.value / passive.accuracy:+.0f}%)" if passive.accuracy > 0 else ""
    return f"{100 * gain.value:+.1f} ± {100 * gain.standard_error:.1f}{relative}"
