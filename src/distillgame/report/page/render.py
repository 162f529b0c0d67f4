"""The report: one self-contained HTML file that needs no network and trusts no text it shows."""

import base64
import hashlib
from collections.abc import Sequence
from importlib import resources
from string import Template
from typing import Any

from distillgame.markup import Html, element, joined, script_json
from distillgame.records import Results, ViewedProblem
from distillgame.report.figures import (
    COLOURS,
    MARKERS,
    cost_panel,
    facts_panel,
    has_costs,
    inline_svg,
    legible_panel,
    queries_panel,
    utility_panel,
)
from distillgame.report.findings import Verdict, areas, name_of, picks, series_of, tested, verdict
from distillgame.report.page.defenses import main_table, overview
from distillgame.report.page.facts import split_table
from distillgame.report.page.legibility import legibility
from distillgame.report.page.provenance import flag_list, how_made
from distillgame.report.page.students import all_students, control_tables

GLYPHS = dict(zip(MARKERS, "●■◆▲▼✚✖⬟", strict=True))
"""The figures' markers as text."""

LEGIBLE = "Student accuracy against teacher accuracy, and auditability as the width of rings"
"""The title of the figure with the third axis."""

AREA = (
    "Between the curves of {name}'s passive and strongest students lies an area of {area:.0f} (points of teacher "
    "accuracy × points of leakage): what a passive evaluation misses over the whole curve."
)
"""The sentence on the area between two curves."""


def render_page(results: Results, problems: Sequence[ViewedProblem]) -> str:
    """Return the report of a game as one HTML file.

    Args:
        results: The game.
        problems: The problems in the trace viewer, with what each defense released.

    Returns:
        HTML that contains its style, script, figures and data. All text from traces, labels and the configuration is
        escaped, and the page's security policy forbids every other script and all network access.
    """
    found = verdict(results)
    script = _asset("page.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = "; ".join(
        ["default-src 'none'", "style-src 'unsafe-inline'", f"script-src 'sha256-{digest}'", "img-src data:",
         "base-uri 'none'", "form-action 'none'"]
    )  # fmt: skip
    parts = {
        "policy": element("meta", http_equiv="Content-Security-Policy", content=policy).removesuffix("</meta>"),
        "title": joined(f"The distillation game on {results.task}"),
        "style": Html(_asset("page.css")),
        "kicker": joined(_kicker(results)),
        "verdict": joined(_verdict(found), element("div", overview(results), class_="overview")),
        "defenses": main_table(results, found),
        "comparisons": _comparisons(results),
        "frontier": _frontier(results),
        "queries": _queries(results),
        "legibility": legibility(results, _legend([(entry.name, entry.control) for entry in series_of(results)])),
        "students": all_students(results),
        "facts": _facts(results),
        "controls": control_tables(results),
        "flags": flag_list(results),
        "made": how_made(results),
        "data": script_json(_viewed(results, problems)),
        "script": Html(script),
    }
    # All parts are filled in at once, so that a dollar sign in one of them stays a dollar sign.
    return Template(_asset("page.html")).substitute(parts)


def _asset(name: str) -> str:
    return resources.files("distillgame.report.page").joinpath("assets", name).read_text(encoding="utf-8")


def _kicker(results: Results) -> str:
    first = results.teachers[0]
    seeds = f"{len(first.seeds)} seeds" if len(first.seeds) > 1 else "one seed"
    return f"{results.task} · {first.n:,} {results.split} problems · {seeds} · students: {results.students_played}"


def _verdict(found: Verdict) -> Html:
    paragraphs = [element("p", sentence) for sentence in found.sentences]
    return element("div", element("h2", found.headline, id="verdict"), *paragraphs)


def _comparisons(results: Results) -> Html:
    if not results.comparisons:
        return element("p", "Defenses were not compared with each other.", class_="note")
    names = {row.defense: name_of(row) for row in results.teachers}
    rows = [
        element("li", f"{names.get(row.first, row.first)} minus {names.get(row.second, row.second)}"
                      f"{'' if row.level == 'text' else f', {row.level}'}: {tested(row.difference)}")
        for row in results.comparisons
    ]  # fmt: skip
    title = "Differences between defenses, in points of leakage to the strongest student, with 95% interval"
    return element("details", element("summary", title), element("ul", *rows, class_="comparisons"))


def _frontier(results: Results) -> Html:
    panels = [_figure(utility_panel, results, "Student accuracy against teacher accuracy", "utility")]
    if has_costs(results):
        panels.append(_figure(cost_panel, results, "Student accuracy against time cost", "cost"))
    series = [(entry.name, entry.control) for entry in series_of(results)]
    found = [element("p", AREA.format(name=name, area=10_000 * area)) for name, area in areas(results).items()]
    drawn = element("div", *panels, class_="figures")
    if results.legibility is None:
        return joined(_legend(series), drawn, *found)
    rings = element("div", _figure(legible_panel, results, LEGIBLE, "legible"), class_="figures third")
    box = Html(element("input", type="checkbox", id="third-axis").removesuffix("</input>"))
    label = element("label", " legibility as a third axis: the wider the ring, the more auditable", for_="third-axis")
    return joined(_legend(series), element("div", box, label, drawn, rings, class_="axes"), *found)


def _queries(results: Results) -> Html:
    if len(picks.query_counts(results)) < 2:
        return Html()
    series = [(entry.name, entry.control) for entry in series_of(results)]
    drawn = [_figure(queries_panel, results, "Student accuracy against the number of traces", "queries")]
    if results.facts:
        drawn.append(_figure(facts_panel, results, "Facts learnt against the number of traces", "facts"))
    heading = element("h3", "More traces, more leakage?")
    caption = element("p", "Hollow, dashed: passive student. Filled: strongest student.", class_="note")
    return joined(heading, caption, _legend(series), element("div", *drawn, class_="figures"))


def _facts(results: Results) -> Html:
    if not results.facts:
        return Html()
    heading = element("h3", "Knowledge and method")
    note = element("p", "A student solves a problem where it knows the facts that it takes (knowledge) and makes the "
                        "right thing of them (method). Facts are probed one by one.", class_="note")  # fmt: skip
    return joined(heading, note, split_table(results))


def _figure(panel: Any, results: Results, title: str, prefix: str) -> Html:
    return element("figure", inline_svg(panel, results, title, prefix))


def _legend(series: list[tuple[str, bool]]) -> Html:
    items = []
    for i, (name, control) in enumerate(series):
        glyph = GLYPHS[MARKERS[i % len(MARKERS)]]
        style = f"color: var(--series-{i % len(COLOURS) + 1})"
        mark = element("span", glyph, class_="glyph", style=style, aria_hidden="true")
        items.append(element("li", mark, name + (" (control)" if control else "")))
    return element("ul", *items, class_="legend")


def _viewed(results: Results, problems: Sequence[ViewedProblem]) -> dict[str, Any]:
    """Return the data of the viewer's script: defenses in the order of the table, controls hidden at first."""
    defenses = [
        {"key": row.defense, "name": name_of(row), "shown": not picks.is_control(row)} for row in results.teachers
    ]
    return {"defenses": defenses, "problems": [problem.model_dump(mode="json") for problem in problems]}
