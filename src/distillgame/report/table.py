"""The table of a game: one row a policy, utility, leakage and cost side by side."""

from collections.abc import Sequence

from distillgame.records import Results, StudentRow, TeacherRow

CAPTION = (
    "Accuracies in percent ± standard error (over problems and seeds). Gain is the adaptive student's accuracy minus "
    "the passive one's, paired; in brackets relative to the passive one. KL is nats a trace; cost is seconds a token "
    "relative to standard sampling in the same engine."
)


def header(results: Results) -> list[str]:
    """Column titles."""
    return ["policy", "teacher", *_students(results), "gain", "KL", "finished", "cost"]


def rows(results: Results) -> list[list[str]]:
    """Cells as text, one list a policy."""
    return [_row(results, teacher) for teacher in results.teachers]


def name_of(row: TeacherRow | StudentRow) -> str:
    """A policy's name with its strength."""
    return " ".join([row.policy, *(f"{value:g}" for value in row.strength.values())])


def students_of(results: Results, teacher: TeacherRow) -> dict[str, StudentRow]:
    """The students of a policy, by name."""
    return {
        row.student: row for row in results.students if (row.policy, row.strength) == (teacher.policy, teacher.strength)
    }


def percent(value: float, error: float) -> str:
    """An accuracy with its standard error."""
    return f"{100 * value:.1f} ± {100 * error:.1f}"


def _students(results: Results) -> Sequence[str]:
    return list(dict.fromkeys(row.student for row in results.students))


def _row(results: Results, teacher: TeacherRow) -> list[str]:
    students = students_of(results, teacher)
    cells = [percent(s.accuracy, s.standard_error) for s in (students[name] for name in _students(results))]
    finished = min(teacher.finish_rate, *(student.finish_rate for student in students.values()))
    kl = "–" if teacher.kl_per_trace is None else f"{teacher.kl_per_trace:.2f}"
    cost = "–" if teacher.time_cost is None else f"{teacher.time_cost:.2f}"
    utility = percent(teacher.accuracy, teacher.standard_error)
    return [name_of(teacher), utility, *cells, _gain(students), kl, f"{100 * finished:.0f}%", cost]


def _gain(students: dict[str, StudentRow]) -> str:
    adaptive, passive = students.get("adaptive"), students.get("passive")
    if adaptive is None or passive is None or adaptive.over_passive is None:
        return "–"
    gain = adaptive.over_passive
    relative = f" ({100 * gain.value / passive.accuracy:+.0f}%)" if passive.accuracy > 0 else ""
    return f"{100 * gain.value:+.1f} ± {100 * gain.standard_error:.1f}{relative}"
