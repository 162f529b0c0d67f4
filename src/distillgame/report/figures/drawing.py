"""Figures of a game as files, and as SVG inside a page whose colours follow the page, light or dark."""

import re
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from distillgame.markup import Html
from distillgame.records import Results
from distillgame.report.figures.levels import levels_panel
from distillgame.report.figures.panels import cost_panel, facts_panel, has_costs, queries_panel, utility_panel
from distillgame.report.figures.style import COLOURS, INK, MUTED, RULE, SURFACE, look, style
from distillgame.report.findings import Series, series_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SVG = "http://www.w3.org/2000/svg"

VARIABLES = {
    INK: "ink",
    MUTED: "muted",
    RULE: "rule",
    SURFACE: "surface",
    **{colour: f"series-{i + 1}" for i, colour in enumerate(COLOURS)},
}
"""The custom properties in page.css that replace the colours of a file."""


def draw_frontier(results: Results, *paths: Path) -> None:
    """Draw teacher accuracy, and beside it time cost, against student accuracy with 95% intervals.

    A point further right has a better (or a slower) teacher; a lower one leaks less. A line joins the passive student
    (hollow) and the strongest one (filled): its length is what a passive evaluation would have missed.

    Args:
        results: A game.
        paths: The files to write, PNG or SVG by suffix; each is written completely or not at all.
    """
    from matplotlib.figure import Figure

    with style():
        panels: list[Callable[[Any, Results], None]] = [utility_panel, *([cost_panel] if has_costs(results) else [])]
        figure = Figure(figsize=(5.2 * len(panels) + 1.6, 4.4), layout="constrained")
        for axes, panel in zip(figure.subplots(1, len(panels), sharey=True, squeeze=False)[0], panels, strict=True):
            panel(axes, results)
        for axes in figure.axes[1:]:
            axes.set_ylabel("")
        _legend(figure, series_of(results))
        _save(figure, paths)


def draw_queries(results: Results, *paths: Path) -> None:
    """Draw leakage (beside it, where they are counted, facts) against the number of traces, into PNG or SVG files."""
    from matplotlib.figure import Figure

    with style():
        panels = [queries_panel, *([facts_panel] if results.facts else [])]
        figure = Figure(figsize=(5.2 * len(panels) + 1.6, 4.4), layout="constrained")
        for axes, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
            panel(axes, results)
        _legend(figure, series_of(results))
        _save(figure, paths)


def draw_legibility(results: Results, *paths: Path) -> None:
    """Draw the distribution of auditability, one panel per judge, into PNG or SVG files."""
    from matplotlib.figure import Figure

    assert results.legibility is not None
    with style():
        judges = [judge.judge for judge in results.legibility.judges]
        figure = Figure(figsize=(5.2 * len(judges) + 1.6, 4.4), layout="constrained")
        for axes, judge in zip(figure.subplots(1, len(judges), squeeze=False)[0], judges, strict=True):
            levels_panel(judge)(axes, results)
            axes.set_title(judge, fontsize=9)
        _legend(figure, series_of(results), students=False)
        _save(figure, paths)


def inline_svg(panel: Callable[[Any, Results], None], results: Results, title: str, prefix: str) -> Html:
    """Draw one panel as an SVG element for the page.

    Args:
        panel: One of :mod:`distillgame.report.figures.panels`.
        results: A game.
        title: The text for readers who cannot see the figure.
        prefix: Put before all ids, which must differ between the figures of a page.
    """
    from matplotlib.figure import Figure

    with style():
        figure = Figure(figsize=(5.0, 3.9), layout="constrained")
        figure.patch.set_visible(False)
        panel(figure.subplots(), results)
        drawn = BytesIO()
        figure.savefig(drawn, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    ET.register_namespace("", SVG)
    ET.register_namespace("xlink", "http://www.w3.org/1999/xlink")
    root = ET.fromstring(drawn.getvalue())
    for size in ("width", "height"):
        del root.attrib[size]
    root.attrib.update({"role": "img", "aria-label": title})
    for element in list(root.iter()):
        for name, value in element.attrib.items():
            element.attrib[name] = _adapted(name, value, prefix)
        # A style element would apply to the whole page; page.css has the same rules for figures alone.
        for child in [child for child in element if child.tag in (f"{{{SVG}}}style", f"{{{SVG}}}metadata")]:
            element.remove(child)
    return Html(ET.tostring(root, encoding="unicode"))


def _adapted(name: str, value: str, prefix: str) -> str:
    if name == "id":
        return f"{prefix}-{value}"
    if name.endswith("href"):
        return value.replace("#", f"#{prefix}-")
    if name in ("style", "clip-path"):
        value = value.replace("url(#", f"url(#{prefix}-").replace("'DejaVu Sans'", "system-ui, sans-serif")
        return re.sub("#[0-9a-f]{6}", lambda match: _variable(match.group()), value)
    return value


def _variable(colour: str) -> str:
    return f"var(--{VARIABLES[colour]})" if colour in VARIABLES else colour


def _legend(figure: "Figure", series: list[Series], students: bool = True) -> None:
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], linestyle="none", markersize=6.5, **look(i)) for i in range(len(series))]  # type: ignore[arg-type]
    for fill in (SURFACE, INK) if students else ():
        handles.append(Line2D([], [], linestyle="none", marker="o", color=INK, markerfacecolor=fill, markersize=6.5))
    names = [entry.name + (" (control)" if entry.control else "") for entry in series]
    names += ["hollow: passive student", "filled: strongest student"] if students else []
    figure.legend(handles, names, fontsize=8,
                  loc="outside right upper", frameon=False)  # fmt: skip


def _save(figure: "Figure", paths: Sequence[Path]) -> None:
    for path in paths:
        partial = path.with_name(path.name + ".partial")
        kind = path.suffix.removeprefix(".").lower()
        figure.savefig(partial, dpi=150, format=kind, metadata={"Date": None} if kind == "svg" else None)
        partial.replace(path)
