"""Legibility on the page: what judges make of every defense, and what to make of the judges."""

from distillgame.markup import Html, element, joined, table
from distillgame.records import JudgeRow, Legibility, LegibilityRow, MeanScore, Results, TeacherRow
from distillgame.report.figures import inline_svg, levels_panel
from distillgame.report.findings import INSIGNIFICANT, agreed, name_of, p_value, shifted
from distillgame.report.page.cells import small, sortable

LENGTHS = ("shortest third", "middle third", "longest third")
"""The strata of length."""

COLUMNS = {
    "auditability": "Can a reader follow the trace and check it? 1 to 5",
    "against undefended": "Auditability minus the undefended teacher's, paired by problem",
    "right answers": "Auditability of the traces whose answer is right",
    "wrong answers": "Auditability of the others",
    **dict.fromkeys(LENGTHS, "Auditability of the traces of that length"),
}
"""Columns and their meaning; those of a judge's other criteria follow."""

NOTE = (
    "Judges are not told which defense released a trace. Distributions and intervals are resampled over problems. "
    "Whether a judge is worth believing is shown below: reference solutions must beat each kind of spoiled solution."
)
"""The paragraph above the tables."""


def legibility(results: Results, legend: Html) -> Html:
    """Return the section on legibility; empty if nothing was judged.

    Args:
        results: A game.
        legend: The legend of its figures.
    """
    found = results.legibility
    if found is None:
        return Html()
    heading = element("h2", "Still worth reading?", id="legibility-title")
    parts = [heading, element("p", NOTE, class_="note")]
    for judge in found.judges:
        drawn = inline_svg(
            levels_panel(judge.judge), results, f"Auditability by level, {judge.judge}", f"levels{len(parts)}"
        )
        parts += [
            element("h3", judge.judge),
            legend,
            element("div", element("figure", drawn), class_="figures"),
            _table(results, found, judge.judge),
            _comparisons(results, found, judge.judge),
            _trust(judge),
        ]
    parts += [_agreements(found)]
    return element("section", *parts, aria_labelledby="legibility-title")


def _table(results: Results, found: Legibility, judge: str) -> Html:
    rows = {row.defense: row for row in found.rows if row.judge == judge}
    criteria = list(dict.fromkeys(name for row in rows.values() for name in row.criteria))
    head = [sortable("defense", None, "text"), *(sortable(name, meaning) for name, meaning in COLUMNS.items()),
            *(sortable(name, None) for name in criteria)]  # fmt: skip
    body = [_row(teacher, rows[teacher.defense], criteria) for teacher in results.teachers if teacher.defense in rows]
    return table(head, body, class_="sortable legibility", aria_label=f"Legibility by {judge}")


def _comparisons(results: Results, found: Legibility, judge: str) -> Html:
    names = {row.defense: name_of(row) for row in results.teachers}
    items = [
        element("li", f"{names[row.first]} minus {names[row.second]}: {shifted(row.difference)}")
        for row in found.comparisons
        if row.judge == judge
    ]
    title = "Differences between defenses in auditability, paired by problem, with 95% interval"
    return (
        element("details", element("summary", title), element("ul", *items, class_="comparisons")) if items else Html()
    )


def _row(teacher: TeacherRow, row: LegibilityRow, criteria: list[str]) -> Html:
    name = name_of(teacher)
    failed = sum(row.failures.values())
    reasons = ", ".join(f"{count} {reason}" for reason, count in row.failures.items())
    return element(
        "tr",
        element("th", name, *([small(f"not scored: {reasons}")] if failed else []), scope="row", data_sort=name),
        _score(row.auditability),
        _shift(row),
        *(_score(score) for score in (row.if_correct, row.if_wrong, *row.by_length)),
        *(_score(row.criteria.get(name)) for name in criteria),
    )


def _shift(row: LegibilityRow) -> Html:
    gap = row.over_standard
    if gap is None:
        return element("td", "–", data_sort="")
    said = p_value(gap) if gap.significant else INSIGNIFICANT
    bounds = f"{gap.interval.low:+.2f} to {gap.interval.high:+.2f}"
    return element("td", f"{gap.value:+.2f}", small(bounds), small(said), data_sort=gap.value)


def _score(score: MeanScore | None) -> Html:
    if score is None:
        return element("td", "–", data_sort="")
    bounds = f"{score.interval.low:.2f} to {score.interval.high:.2f}"
    return element("td", f"{score.mean:.2f}", small(bounds), data_sort=score.mean, title=f"{score.n} traces")


def _trust(judge: JudgeRow) -> Html:
    """Return what the controls say about a judge, as a list of facts."""
    facts = [("exhibits scored", f"{judge.scored:,}"), ("not scored", _reasons(judge.failures))]
    if judge.tokens or judge.prompt_tokens:
        facts.append(("tokens", f"{judge.prompt_tokens:,} read, {judge.tokens:,} written"))
    if judge.repeated is not None:
        facts.append(("the same trace twice", f"scores differ by {judge.repeated:.2f} on average"))
    for anchor in judge.anchors:
        below = anchor.below_reference
        order = "" if below is None else (
            f"; reference better by {below.mean:.2f} ({below.interval.low:.2f} to {below.interval.high:.2f})"
            f"{'' if anchor.in_order else ', not beyond chance'}"
        )  # fmt: skip
        facts.append((f"anchors: {anchor.kind.replace('_', ' ')}", f"{anchor.auditability.mean:.2f}{order}"))
    if judge.moved is not None:
        shares = f"{judge.moved_share or 0:.0%} rise by a level, {judge.fallen_share or 0:.0%} fall"
        moved = f"{judge.moved.mean:+.2f} on average; {shares}"
        facts.append(("solutions that talk to the judge", moved))
    if judge.length_correlation is not None:
        facts.append(("rank correlation with length", f"{judge.length_correlation:+.2f}"))
    items = [part for name, value in facts for part in (element("dt", name), element("dd", value))]
    return element("dl", *items, class_="facts")


def _agreements(found: Legibility) -> Html:
    if not found.agreements:
        return Html()
    items = [element("li", agreed(row)) for row in found.agreements]
    return joined(element("h3", "Do the judges agree?"), element("ul", *items, class_="comparisons"))


def _reasons(failures: dict[str, int]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in failures.items()) or "none"
