"""The game at one glance: a line a defense, on which its students and its teacher stand by their accuracy."""

from distillgame.markup import Html, element, joined
from distillgame.records import Results, TeacherRow
from distillgame.report import picks
from distillgame.report.words import name_of

KINDS = ("untrained", "passive", "strongest", "teacher")


def overview(results: Results) -> Html:
    """Four marks a defense between 0 and 100%; what they hide is in the table below them."""
    items = [element("li", *_line(results, teacher)) for teacher in results.teachers]
    key = [element("li", _mark(kind), f"{kind}{'' if kind == 'teacher' else ' student'}") for kind in KINDS]
    axis = element("p", *(element("span", text) for text in ("0%", "50%", "100%")), class_="axis", aria_hidden="true")
    return joined(element("ul", *items, class_="lines"), axis, element("ul", *key, class_="key", aria_hidden="true"))


def _line(results: Results, teacher: TeacherRow) -> list[Html]:
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
