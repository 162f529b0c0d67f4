"""The narrow table of a game for terminals and Markdown: one row per defense with utility, leakage and cost."""

from distillgame.choices import shown
from distillgame.records import Difference, Legibility, Results, StudentRow, TeacherRow
from distillgame.report.findings import name_of, number, percent, picks, points, relative, scored

CAPTION = (
    "Accuracies in percent ± standard error (over problems and seeds). The strongest student is chosen on the "
    "validation split among those that have released text only. Gain is its accuracy (or, if none was chosen, that of "
    "the first adaptive student) minus the passive one's, paired, and in brackets relative to it. KL is in nats per "
    "trace. Finished is the lowest share of completions that ended by themselves. Cost is seconds per token relative "
    "to standard sampling."
)


FACTS = (
    "Released are the private facts that the traces state or from which they can be derived; learnt are those that the "
    "strongest student gives rightly when asked."
)
"""The caption's end where facts are counted."""


LEGIBLE = "Legible is the expected auditability of a trace, 1 to 5, by {judge}, ± half its 95% interval."
"""The caption's end where traces were judged."""


def caption(results: Results) -> str:
    """Return what the columns mean."""
    parts = [CAPTION, *([FACTS] if results.facts else [])]
    if results.legibility:
        parts.append(LEGIBLE.format(judge=results.legibility.judges[0].judge))
    return " ".join(parts)


def header(results: Results) -> list[str]:
    """Return the column titles."""
    facts = ["released", "learnt"] if results.facts else []
    legible = ["legible"] if results.legibility else []
    measured = [*facts, *legible, "KL", "finished", "cost"]
    if not _is_chosen(results):
        return ["policy", "teacher", *_students(results), "gain", *measured]
    controls = [name for name in ("untrained", "reference") if _has(results, name)]
    return ["policy", "teacher", *controls, "passive", "strongest", "gain", *measured]


def rows(results: Results) -> list[list[str]]:
    """Return the cells as text, one list per defense."""
    return [_row(results, teacher) for teacher in results.teachers]


def students_of(results: Results, teacher: TeacherRow) -> dict[str, StudentRow]:
    """Return the students of a defense at the most queries, by name, and by settings where several share a name."""
    found = picks.students_at(results, teacher)
    names = [row.student for row in found]
    return {row.student if names.count(row.student) == 1 else _with_settings(row): row for row in found}


def _row(results: Results, teacher: TeacherRow) -> list[str]:
    students = students_of(results, teacher)
    finished = min([teacher.finish_rate, *(student.finish_rate for student in students.values())])
    middle = _chosen(results, teacher) if _is_chosen(results) else _listed(results, students)
    return [
        name_of(teacher),
        percent(teacher.accuracy, teacher.standard_error),
        *middle,
        *(_facts(results, teacher) if results.facts else []),
        *([_legible(results.legibility, teacher)] if results.legibility else []),
        number(teacher.kl_per_trace),
        f"{100 * finished:.0f}%",
        number(teacher.time_cost),
    ]


def _listed(results: Results, students: dict[str, StudentRow]) -> list[str]:
    adaptive = next((row for row in students.values() if row.student == "adaptive"), None)
    gain = adaptive.over_passive if adaptive else None
    return [*(_cell(students.get(name)) for name in _students(results)), _gain(gain)]


def _chosen(results: Results, teacher: TeacherRow) -> list[str]:
    controls = [
        _cell(picks.control(results, teacher, name)) for name in ("untrained", "reference") if _has(results, name)
    ]
    pick = picks.strongest(results, teacher)
    label = "" if pick is None else f" ({pick.row.label})" if pick.chosen else f" ({pick.row.label}, not chosen)"
    gain = pick.row.over_passive if pick else None
    strongest = _cell(pick.row if pick else None) + label
    return [*controls, _cell(picks.passive(results, teacher)), strongest, _gain(gain)]


def _facts(results: Results, teacher: TeacherRow) -> list[str]:
    released, pick = picks.released(results, teacher), picks.strongest(results, teacher)
    learnt = None if pick is None else pick.row.facts
    return [
        "–" if released is None else f"{released.derivable.mean:.0f}/{released.facts}",
        "–" if learnt is None else f"{learnt.forced.mean:.0f}",
    ]


def _legible(found: Legibility, teacher: TeacherRow) -> str:
    row = found.of(teacher.defense)
    return scored(None if row is None else row.auditability)


def _gain(gain: Difference | None) -> str:
    if gain is None:
        return "–"
    return f"{points(gain)} ({relative(gain)})" if gain.significant and relative(gain) else points(gain)


def _cell(row: StudentRow | None) -> str:
    return "–" if row is None else percent(row.accuracy, row.standard_error)


def _is_chosen(results: Results) -> bool:
    return any(row.strongest for row in results.students)


def _has(results: Results, control: str) -> bool:
    return any(picks.control_name(row) == control for row in results.students)


def _students(results: Results) -> list[str]:
    return list(dict.fromkeys(name for teacher in results.teachers for name in students_of(results, teacher)))


def _with_settings(row: StudentRow) -> str:
    return " ".join([row.student, *map(shown, row.settings.values())])
