"""The cells that the page's tables share."""

from distillgame.markup import Html, element
from distillgame.records import StudentRow, TeacherRow
from distillgame.report.findings import bounds, percent


def sortable(title: str, meaning: str | None, kind: str = "number") -> Html:
    """Return a column's head that sorts its table."""
    return element("th", element("button", title, type="button"), scope="col", title=meaning, data_kind=kind,
                   class_=kind, aria_sort="none")  # fmt: skip


def accuracy(row: TeacherRow | StudentRow | None, note: str = "") -> Html:
    """Return a cell with an accuracy, its interval and a note."""
    if row is None:
        return element("td", "–", data_sort="")
    value = f"{row.accuracy:.6f}"
    return element("td", percent(row.accuracy, row.standard_error), small(bounds(row.interval)),
                   *([element("span", note, class_="small long")] if note else []), data_sort=value)  # fmt: skip


def small(text: str) -> Html:
    """Return a second line in a cell."""
    return element("span", text, class_="small")


def badge(text: str, kind: str = "") -> Html:
    """Return a word that marks a row."""
    return element("span", text, class_=f"badge {kind}".strip())
