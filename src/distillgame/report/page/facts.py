"""Leakage in facts on the page: cells of the main table, and the split of each student into knowledge and method."""

from distillgame.markup import Html, element, table
from distillgame.records import FactCount, LearntFacts, Results, StudentRow, TeacherRow
from distillgame.report.findings import name_of, picks
from distillgame.report.page.cells import small, sortable

SPLIT = {
    "facts, forced": "Facts given rightly in most probes in which the answer was begun for the student",
    "facts, free": "Facts given rightly in an answer of its own",
    "knowledge": "Share of the problems all of whose facts it knows (forced)",
    "method": "Its accuracy on those problems",
    "otherwise": "Its accuracy on the other problems",
}
"""Columns of the split, and their meaning."""


def facts(results: Results, teacher: TeacherRow, strongest: StudentRow | None) -> list[Html]:
    """Return two cells: the facts that a defense released, and those that its strongest student learnt."""
    released = picks.released(results, teacher)
    learnt = None if strongest is None else strongest.facts
    if released is None:
        return [element("td", "–", data_sort=""), _learnt(learnt)]
    hidden = f"{len(released.hidden)} never" if released.hidden else "all at some seed"
    lines = [f"{released.derivable.mean:.0f}", small(f"of {released.facts}; {released.stated.mean:.0f} stated"),
             small(hidden)]  # fmt: skip
    cell = element("td", *lines, data_sort=released.derivable.mean, title=kinds(released.derivable, released.kinds))
    return [cell, _learnt(learnt)]


def split_table(results: Results) -> Html:
    """Return the table of attacks and controls that splits accuracy into knowledge and method; empty without facts."""
    if not results.facts:
        return Html()
    head = [sortable("defense", None, "text"), sortable("student", None, "text"),
            *(sortable(name, meaning) for name, meaning in SPLIT.items())]  # fmt: skip
    body = [
        _row(teacher, row, row.facts)
        for teacher in results.teachers
        for row in picks.students_at(results, teacher)
        if row.facts is not None
    ]
    return table(head, body, class_="sortable", id="facts", aria_label="Knowledge and method of every student")


def kinds(found: FactCount, of: dict[str, int] | None = None) -> str:
    """Return a count by kind of fact, in words."""
    return ", ".join(f"{kind} {count:.0f}{f' of {of[kind]}' if of else ''}" for kind, count in found.by_kind.items())


def _row(teacher: TeacherRow, row: StudentRow, learnt: LearntFacts) -> Html:
    name = name_of(teacher)
    return element(
        "tr",
        element("th", name, scope="row", data_sort=name),
        element("td", row.label, class_="text", data_sort=row.label),
        _count(learnt.forced),
        _count(learnt.free),
        *(_share(value) for value in (learnt.knowledge, learnt.accuracy_if_known, learnt.accuracy_if_unknown)),
    )


def _learnt(learnt: LearntFacts | None) -> Html:
    return element("td", "–", data_sort="") if learnt is None else _count(learnt.forced)


def _count(found: FactCount) -> Html:
    low, high = found.interval.low, found.interval.high
    return element("td", f"{found.mean:.0f}", small(f"{low:.0f} to {high:.0f}"), data_sort=found.mean,
                   title=kinds(found))  # fmt: skip


def _share(value: float | None) -> Html:
    return element("td", "–" if value is None else f"{100 * value:.1f}", data_sort="" if value is None else value)
