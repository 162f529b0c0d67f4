"""The main table of the page, and what a cell looks like in all of them."""

from distillgame.markup import Html, element, joined, table
from distillgame.records import Difference, FlagRow, Level, Results, StudentRow, TeacherRow
from distillgame.report import picks
from distillgame.report.verdict import Verdict
from distillgame.report.words import bounds, name_of, number, percent, points, relative, relative_bounds

COLUMNS = {
    "teacher": "Accuracy of the released teacher: what users get",
    "passive student": "Student trained on all released traces alike",
    "strongest student": "Student chosen as the strongest on the validation split, with released text only",
    "strongest, assisted": "Strongest of the students that also train on public solutions",
    "strongest, informed": "Strongest of the students that know more than text",
    "gain over passive": "Strongest minus passive: what a passive evaluation would have missed",
    "KL": "Nats a trace between the released and the undefended teacher",
    "finished": "Share of completions that ended by themselves, and how many of the strongest student's are right",
    "time": "Seconds a token relative to undefended sampling",
    "form": "What is released of a completion",
}
"""Columns and what they mean; those of a level that nobody plays are left out."""


def main_table(results: Results, found: Verdict) -> Html:
    """One row a defense."""
    absent = {f"strongest, {level}" for level in ("assisted", "informed") if level not in picks.levels(results)}
    columns = {name: meaning for name, meaning in COLUMNS.items() if name not in absent}
    head = [
        sortable("defense", None, "text"),
        *(sortable(name, meaning, "text" if name == "form" else "number") for name, meaning in columns.items()),
    ]
    body = [_row(results, teacher, found) for teacher in results.teachers]
    return table(head, body, class_="sortable", id="defenses", aria_label="All defenses")


def sortable(title: str, meaning: str | None, kind: str = "number") -> Html:
    """A column's head that sorts its table."""
    return element("th", element("button", title, type="button"), scope="col", title=meaning, data_kind=kind,
                   class_=kind, aria_sort="none")  # fmt: skip


def accuracy(row: TeacherRow | StudentRow | None, note: str = "") -> Html:
    """A cell with an accuracy, its interval and a note."""
    if row is None:
        return element("td", "–", data_sort="")
    value = f"{row.accuracy:.6f}"
    return element("td", percent(row.accuracy, row.standard_error), small(bounds(row.interval)),
                   *([small(note)] if note else []), data_sort=value)  # fmt: skip


def small(text: str) -> Html:
    """A second line in a cell."""
    return element("span", text, class_="small")


def defense_name(teacher: TeacherRow, *more: Html) -> Html:
    """A defense's name, and below it a badge if it is a control, and more."""
    badges = [*([_badge("control")] if picks.is_control(teacher) else []), *more]
    name = element("span", name_of(teacher), class_="name")
    return joined(name, element("span", *badges, class_="badges")) if badges else name


def _badge(text: str, kind: str = "") -> Html:
    """A word that marks a row."""
    return element("span", text, class_=f"badge {kind}".strip())


def flag_badges(flags: list[FlagRow]) -> list[Html]:
    """A badge for each kind of flag, which leads to its explanation."""
    names = dict.fromkeys(row.flag for row in flags)
    return [element("a", f"⚑ {name.replace('_', ' ')}", class_="badge flag", href="#flags") for name in names]


def _row(results: Results, teacher: TeacherRow, found: Verdict) -> Html:
    least = found.least is not None and teacher.defense == found.least.defense
    most = max(picks.query_counts(results), default=0)
    about = [row for row in results.flags if row.defense == teacher.defense and row.queries in (None, 0, most)]
    badges = flag_badges(about)
    marks = [_badge("leaked least", "least")] if least else []
    pick = picks.strongest(results, teacher)
    beyond = [_strongest(results, teacher, level) for level in picks.levels(results)]
    kl, cost = teacher.kl_per_trace, teacher.time_cost
    return element(
        "tr",
        element("th", defense_name(teacher, *marks, *badges), scope="row", data_sort=name_of(teacher)),
        accuracy(teacher),
        accuracy(picks.passive(results, teacher)),
        _strongest(results, teacher, "text"),
        *beyond,
        _gain(pick.row if pick else None),
        element("td", number(kl), data_sort="" if kl is None else kl),
        _finished(teacher, pick.row if pick else None),
        element("td", number(cost, "×"), data_sort="" if cost is None else cost),
        element("td", teacher.form, data_sort=teacher.form, class_="text"),
        class_="least" if least else None,
    )


def _finished(teacher: TeacherRow, student: StudentRow | None) -> Html:
    """How many answers end by themselves, and how good those of the strongest student are."""
    lines = [f"{100 * teacher.finish_rate:.0f}%"]
    if student is not None and student.accuracy_if_finished is not None:
        lines.append(small(f"student {100 * student.finish_rate:.0f}%"))
        lines.append(small(f"{100 * student.accuracy_if_finished:.1f} of those"))
    return element("td", *lines, data_sort=teacher.finish_rate)


def _strongest(results: Results, teacher: TeacherRow, level: Level) -> Html:
    pick = picks.strongest(results, teacher, level)
    if pick is None:
        return accuracy(None)
    return accuracy(pick.row, pick.row.label + ("" if pick.chosen else ", not chosen on validation"))


def _gain(row: StudentRow | None) -> Html:
    if row is None or row.over_passive is None:
        return element("td", "is passive" if row and row.student == "passive" else "–", data_sort="")
    return _gain_cell(row.over_passive)


def _gain_cell(gain: Difference) -> Html:
    """A cell with a gain: relative where it is significant, else in points with the plain words."""
    if gain.significant and relative(gain):
        lines = [relative(gain), small(relative_bounds(gain)), small(f"{points(gain)} points")]
    else:
        value, comma, words = points(gain).partition(", ")
        lines = [value + comma, small(words)]
    return element("td", *lines, data_sort=gain.value if gain.relative is None else gain.relative)
