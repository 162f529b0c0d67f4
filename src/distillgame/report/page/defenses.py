"""The defenses on the page: at a glance, and in the main table."""

from distillgame.markup import Html, element, joined, table
from distillgame.records import Difference, FlagRow, Legibility, Level, Results, StudentRow, TeacherRow
from distillgame.report.findings import Verdict, name_of, number, picks, points, relative, relative_bounds
from distillgame.report.page.cells import accuracy, badge, small, sortable
from distillgame.report.page.facts import facts

KINDS = ("untrained", "passive", "strongest", "teacher")
"""The marks of a defense in the overview."""

COLUMNS = {
    "teacher": "Accuracy of the released teacher: what users get",
    "passive student": "Student trained on all released traces with equal weights",
    "strongest student": "The strongest student with released text only, chosen on the validation split",
    "strongest, assisted": "The strongest student that also trains on public solutions",
    "strongest, informed": "The strongest student that knows more than text",
    "gain over passive": "Strongest minus passive: what a passive evaluation would have missed",
    "facts released": "Private facts that the traces state, or from which they can be derived",
    "facts learnt": "Private facts that the strongest student gives rightly when asked one by one",
    "legible": "Expected auditability of a trace, 1 to 5, by the first judge: can a reader follow and check it?",
    "KL": "KL divergence of the released teacher from the undefended one, in nats per trace",
    "finished": "Share of completions that ended by themselves; for the strongest student also their accuracy",
    "time": "Seconds per token, relative to undefended sampling",
    "form": "The part of a completion that is released",
}
"""Columns and their meaning; columns of a level that no student plays, and of facts where none are counted, are left
out."""


def overview(results: Results) -> Html:
    """Return one line per defense with four marks between 0 and 100%; the table below has the numbers."""
    items = [element("li", *_overview_line(results, teacher)) for teacher in results.teachers]
    key = [element("li", _mark(kind), f"{kind}{'' if kind == 'teacher' else ' student'}") for kind in KINDS]
    axis = element("p", *(element("span", text) for text in ("0%", "50%", "100%")), class_="axis", aria_hidden="true")
    return joined(element("ul", *items, class_="lines"), axis, element("ul", *key, class_="key", aria_hidden="true"))


def _overview_line(results: Results, teacher: TeacherRow) -> list[Html]:
    pick = picks.strongest(results, teacher)
    students = (
        picks.control(results, teacher, "untrained"),
        picks.passive(results, teacher),
        pick.row if pick else None,
    )
    places = {kind: row.accuracy for kind, row in zip(KINDS, (*students, teacher), strict=True) if row}
    said = ", ".join(f"{kind} {100 * value:.0f}%" for kind, value in places.items())
    span = [places[kind] for kind in ("passive", "strongest") if kind in places]
    bar = [element("span", class_="span", style=f"--from: {min(span):.4f}; --to: {max(span):.4f}")] if span else []
    marks = [_mark(kind, f"--at: {value:.4f}") for kind, value in places.items()]
    track = element("span", *bar, *marks, class_="track", role="img", aria_label=said, title=said)
    return [element("span", name_of(teacher), class_="name"), track]


def _mark(kind: str, style: str | None = None) -> Html:
    return element("span", class_=f"mark {kind}", style=style)


def main_table(results: Results, found: Verdict) -> Html:
    """Return the main table, one row per defense."""
    absent = {f"strongest, {level}" for level in ("assisted", "informed") if level not in picks.levels(results)}
    absent |= set() if results.facts else {"facts released", "facts learnt"}
    absent |= set() if results.legibility else {"legible"}
    columns = {name: meaning for name, meaning in COLUMNS.items() if name not in absent}
    head = [
        sortable("defense", None, "text"),
        *(sortable(name, meaning, "text" if name == "form" else "number") for name, meaning in columns.items()),
    ]
    body = [_row(results, teacher, found) for teacher in results.teachers]
    return table(head, body, class_="sortable", id="defenses", aria_label="All defenses")


def defense_name(teacher: TeacherRow, *more: Html) -> Html:
    """Return a defense's name with badges below it; a control's first badge says so."""
    badges = [*([badge("control")] if picks.is_control(teacher) else []), *more]
    name = element("span", name_of(teacher), class_="name")
    return joined(name, element("span", *badges, class_="badges")) if badges else name


def flagbadges(flags: list[FlagRow]) -> list[Html]:
    """Return a badge for each kind of flag, with a link to its explanation."""
    names = dict.fromkeys(row.flag for row in flags)
    return [element("a", f"⚑ {name.replace('_', ' ')}", class_="badge flag", href="#flags") for name in names]


def _row(results: Results, teacher: TeacherRow, found: Verdict) -> Html:
    least = found.least is not None and teacher.defense == found.least.defense
    most = max(picks.query_counts(results), default=0)
    about = [row for row in results.flags if row.defense == teacher.defense and row.queries in (None, 0, most)]
    badges = flagbadges(about)
    marks = [badge("leaked least", "least")] if least else []
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
        *(facts(results, teacher, pick.row if pick else None) if results.facts else []),
        *([_legible(results.legibility, teacher)] if results.legibility else []),
        element("td", number(kl), data_sort="" if kl is None else kl),
        _finished(teacher, pick.row if pick else None),
        element("td", number(cost, "×"), data_sort="" if cost is None else cost),
        element("td", teacher.form, data_sort=teacher.form, class_="text"),
        class_="least" if least else None,
    )


def _legible(found: Legibility, teacher: TeacherRow) -> Html:
    row = found.of(teacher.defense)
    score = None if row is None else row.auditability
    if score is None:
        return element("td", "–", data_sort="")
    bounds = f"{score.interval.low:.2f} to {score.interval.high:.2f}"
    return element("td", f"{score.mean:.2f}", small(bounds), data_sort=score.mean)


def _finished(teacher: TeacherRow, student: StudentRow | None) -> Html:
    """Return the share of answers that end by themselves, and the accuracy of those of the strongest student."""
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
    """Return a cell with a gain: relative if it is significant, else in points."""
    if gain.significant and relative(gain):
        lines = [relative(gain), small(relative_bounds(gain)), small(f"{points(gain)} points")]
    else:
        value, comma, words = points(gain).partition(", ")
        lines = [value + comma, small(words)]
    return element("td", *lines, data_sort=gain.value if gain.relative is None else gain.relative)
