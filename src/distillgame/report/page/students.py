"""The page's tables of students: the controls, and all students under all defenses."""

from distillgame.markup import Html, element, joined, table
from distillgame.records import Results, StudentRow, TeacherRow
from distillgame.report.findings import bounds, name_of, picks
from distillgame.report.page.cells import accuracy, small, sortable


def control_tables(results: Results) -> Html:
    """Return the tables of control students under each defense, and of control policies."""
    names = dict.fromkeys(name for row in results.students if (name := picks.control_name(row)))
    columns = [element("th", name_of(teacher), scope="col") for teacher in results.teachers]
    rows = [
        element("tr", _explained(name, picks.CONTROLS.get(name, "")), *_across(results, name))
        for name in sorted(names, key=_place)
    ]
    students = table([element("th", "student", scope="col"), *columns], rows, aria_label="Control students")
    policies = [teacher for teacher in results.teachers if picks.is_control(teacher)]
    if not policies:
        return students
    titles = ("policy", "teacher", "passive student", "strongest student")
    head = [element("th", title, scope="col") for title in titles]
    body = [_policy(results, teacher) for teacher in policies]
    return joined(students, table(head, body, aria_label="Control policies"))


def all_students(results: Results) -> Html:
    """Return the table of every student (rows) under every defense (columns), the strongest in bold."""
    cells: dict[tuple[str, str, str], dict[str, StudentRow]] = {}
    for teacher in results.teachers:
        for row in picks.students_at(results, teacher):
            key = (row.label, row.threat_model.level, row.threat_model.objective or "")
            cells.setdefault(key, {})[teacher.defense] = row
    head = [sortable("student", None, "text"), *(sortable(name_of(teacher), None) for teacher in results.teachers)]
    # Attacks come first, since controls are compared with them.
    ordered = sorted(cells.values(), key=lambda found: picks.control_name(next(iter(found.values()))) is not None)
    body = [_student(results, found) for found in ordered]
    return table(head, body, class_="sortable heat", id="students", aria_label="All students by defense")


def _explained(name: str, meaning: str) -> Html:
    label = element("span", name.replace("_", " "), class_="name")
    return element("th", label, element("span", meaning, class_="small meaning"), scope="row")


def _across(results: Results, name: str) -> list[Html]:
    return [_control(results, teacher, picks.control(results, teacher, name)) for teacher in results.teachers]


def _control(results: Results, teacher: TeacherRow, row: StudentRow | None) -> Html:
    """Return a control's accuracy, with the difference to the passive student if it has fewer seeds than the game."""
    if row is None or len(row.seeds) == len(teacher.seeds) or row.over_passive is None:
        return accuracy(row)
    gap = 100 * row.over_passive.value
    return accuracy(row, f"seed {', '.join(map(str, row.seeds))}: {gap:+.1f} to passive")


def _place(name: str) -> int:
    known = list(picks.CONTROLS)
    return known.index(name) if name in known else len(known)


def _policy(results: Results, teacher: TeacherRow) -> Html:
    pick = picks.strongest(results, teacher)
    meaning = element("span", picks.POLICY_CONTROLS.get(teacher.policy, ""), class_="small meaning")
    name = element("span", name_of(teacher), class_="name")
    return element(
        "tr",
        element("th", name, meaning, scope="row"),
        accuracy(teacher),
        accuracy(picks.passive(results, teacher)),
        accuracy(pick.row if pick else None, pick.row.label if pick else ""),
    )


def _student(results: Results, found: dict[str, StudentRow]) -> Html:
    first = next(iter(found.values()))
    kind = "control" if picks.control_name(first) else first.threat_model.level
    label = element("span", first.label, class_="name")
    return element(
        "tr",
        element(
            "th",
            label,
            small(kind if kind == "control" else f"{kind} · {first.suite}"),
            scope="row",
            data_sort=first.label,
        ),
        *(_heat(found.get(teacher.defense), len(teacher.seeds)) for teacher in results.teachers),
    )


def _heat(row: StudentRow | None, seeds: int) -> Html:
    if row is None:
        return element("td", "–", data_sort="")
    value = f"{100 * row.accuracy:.1f}"
    return element(
        "td",
        element("strong", value) if row.strongest else value,
        *([] if len(row.seeds) == seeds else [small("one seed" if len(row.seeds) == 1 else f"{len(row.seeds)} seeds")]),
        title=f"{row.label}: {value}%, 95% interval {bounds(row.interval)}, finished {100 * row.finish_rate:.0f}%",
        data_sort=f"{row.accuracy:.6f}",
        style=f"--heat: {row.accuracy:.3f}",
    )
