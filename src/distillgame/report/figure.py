"""The figures of a game: utility and cost against leakage, and leakage against the number of queries."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullLocator

from distillgame.records import Bounds, Results, StudentRow
from distillgame.report import picks
from distillgame.report.series import Place, Series, series_of

INK, MUTED, RULE, SURFACE = "#23272e", "#69707d", "#d9dce1", "#ffffff"
"""Text, lesser text, grid lines, and what fills a hollow point."""

COLOURS = ["#5f6b7a", "#b3541e", "#2563b0", "#1e7f5c", "#8f3f97", "#a8791a", "#14808f", "#b03060"]
"""One a series, in turn; the first is the undefended teacher's."""

MARKERS = "osD^vPXp"
"""One a series too: colour is not all that tells them apart."""

ASIDE = 1.035
"""By what factor points at one number of queries stand apart."""

Reach = tuple[float, float, float]
"""A value, and how far its interval reaches down and up."""


def draw_frontier(results: Results, path: Path) -> None:
    """Draw teacher accuracy, and beside it time cost, against student accuracy with 95% intervals.

    A point further right is a better teacher (or a slower one), a lower one leaks less. A line joins the passive
    student (hollow) and the strongest (filled): its length is what a passive evaluation would have missed.

    Args:
        results: A game.
        path: A PNG or an SVG, by its suffix; it appears whole or not at all.
    """
    with style():
        panels: list[Callable[[Any, Results], None]] = [utility_panel, *([cost_panel] if has_costs(results) else [])]
        figure = Figure(figsize=(5.2 * len(panels) + 1.6, 4.4), layout="constrained")
        for axes, panel in zip(figure.subplots(1, len(panels), sharey=True, squeeze=False)[0], panels, strict=True):
            panel(axes, results)
        for axes in figure.axes[1:]:
            axes.set_ylabel("")
        _legend(figure, series_of(results))
        _save(figure, path)


def draw_queries(results: Results, path: Path) -> None:
    """Draw leakage against the number of traces an attacker asks for, a line a defense; PNG or SVG by the suffix."""
    with style():
        figure = Figure(figsize=(6.8, 4.4), layout="constrained")
        queries_panel(figure.subplots(), results)
        _legend(figure, series_of(results))
        _save(figure, path)


def style() -> AbstractContextManager[None]:
    """The settings that all figures are drawn with."""
    return mpl.rc_context(
        {
            "font.family": ["DejaVu Sans"],
            "font.size": 9,
            "svg.fonttype": "none",
            "svg.hashsalt": "distillgame",
            "text.parse_math": False,  # names come from configurations, and a dollar sign in one is a dollar sign
        }
    )


def look(index: int) -> dict[str, str]:
    """Colour and marker of a series."""
    return {"color": COLOURS[index % len(COLOURS)], "marker": MARKERS[index % len(MARKERS)]}


def has_costs(results: Results) -> bool:
    """Whether time costs were measured."""
    return any(row.time_cost is not None for row in results.teachers)


def utility_panel(axes: Any, results: Results) -> None:
    """Student accuracy over teacher accuracy."""

    def at(place: Place) -> Reach:
        return _percents(place.teacher.accuracy, place.teacher.interval)

    _panel(axes, results, at, curves=True)
    axes.set_xlabel("teacher accuracy, % (utility)", color=INK)


def cost_panel(axes: Any, results: Results) -> None:
    """Student accuracy over the time a token takes."""

    def at(place: Place) -> Reach | None:
        cost, spread = place.teacher.time_cost, place.teacher.time_cost_range
        if cost is None:
            return None
        return cost, max(cost - spread.min, 0.0) if spread else 0.0, max(spread.max - cost, 0.0) if spread else 0.0

    _panel(axes, results, at, curves=False)
    axes.axvline(1, color=MUTED, linewidth=0.8, linestyle=":")
    axes.set_xlabel("time a token, relative to no defense (cost)", color=INK)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}×"))


def queries_panel(axes: Any, results: Results) -> None:
    """Student accuracy over the number of traces, on a logarithmic axis."""
    counts = picks.query_counts(results)
    places = [(i, place, len(series.places)) for i, series in enumerate(series_of(results)) for place in series.places]
    for k, (i, place, strengths) in enumerate(places):
        # Side by side, or the intervals at one number of queries would hide each other.
        shift = ASIDE ** (k - (len(places) - 1) / 2)
        for kind, dashes in (("passive", "--"), ("strongest", "-")):
            rows = [(count, row) for count in counts if (row := _student(results, place.teacher, kind, count))]
            _points(axes, [(count * shift, 0.0, 0.0) for count, _ in rows], [row for _, row in rows], i, kind, dashes)
            if strengths > 1 and kind == "passive" and rows:
                text = " ".join(f"{value:g}" for value in place.teacher.strength.values())
                axes.annotate(text, (rows[-1][0] * shift, 100 * rows[-1][1].accuracy), xytext=(7, -3),
                              textcoords="offset points", fontsize=7.5, color=look(i)["color"])  # fmt: skip
    _finish(axes, results)
    axes.set_xscale("log")
    axes.set_xticks(counts, [f"{count:,}" for count in counts])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("released traces asked for", color=INK)


def _panel(axes: Any, results: Results, at: Callable[[Place], Reach | None], *, curves: bool) -> None:
    """Both students of every defense at a place of their own, joined to curves where a policy has several strengths."""
    for i, series in enumerate(series_of(results)):
        found = [(x, place) for place in series.places if (x := at(place))]
        for x, place in found:
            if place.passive and place.strongest:
                ends = [100 * place.passive.accuracy, 100 * place.strongest.accuracy]
                axes.plot([x[0], x[0]], ends, color=look(i)["color"], linewidth=1.2, alpha=0.5, zorder=1)
            if curves and len(found) > 1 and (named := place.passive or place.strongest):
                text = " ".join(f"{value:g}" for value in place.teacher.strength.values())
                axes.annotate(text, (x[0], 100 * named.accuracy), xytext=(6, -10), textcoords="offset points",
                              fontsize=7.5, color=look(i)["color"])  # fmt: skip
        for kind, dashes in (("passive", "--"), ("strongest", "-")):
            drawn = [(x, row) for x, place in found if (row := getattr(place, kind))]
            _points(axes, [x for x, _ in drawn], [row for _, row in drawn], i, kind, dashes if curves else "none")
    _finish(axes, results)


def _points(axes: Any, xs: list[Reach], rows: list[StudentRow], index: int, kind: str, dashes: str) -> None:
    """Points of one kind of student with their intervals, joined where there are several."""
    if not rows:
        return
    ys = [_percents(row.accuracy, row.interval) for row in rows]
    color = look(index)["color"]
    axes.errorbar(
        [x for x, _, _ in xs], [y for y, _, _ in ys],
        xerr=[[low for _, low, _ in xs], [high for _, _, high in xs]],
        yerr=[[low for _, low, _ in ys], [high for _, _, high in ys]],
        marker=look(index)["marker"], markersize=6.5, color=color, elinewidth=1, linewidth=1.2, zorder=3,
        markerfacecolor=SURFACE if kind == "passive" else color, linestyle=dashes if len(rows) > 1 else "none",
    )  # fmt: skip


def _finish(axes: Any, results: Results) -> None:
    """The untrained student's level, the grid, and colours that a page can change."""
    untrained = [row for row in results.students if picks.control_name(row) == "untrained"]
    if untrained:
        level = 100 * untrained[0].accuracy
        axes.axhline(level, color=MUTED, linewidth=1, linestyle=":", zorder=1)
        axes.set_ylim(bottom=min(axes.get_ylim()[0], level - 6))
        axes.annotate("untrained student", (1, level), xycoords=("axes fraction", "data"), xytext=(-2, -3), ha="right",
                      va="top", textcoords="offset points", color=MUTED, fontsize=8)  # fmt: skip
    axes.set_ylabel("student accuracy, % (leakage)", color=INK)
    axes.grid(color=RULE, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.set_facecolor("none")
    axes.tick_params(colors=MUTED, length=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(RULE)


def _legend(figure: Figure, series: list[Series]) -> None:
    handles = [Line2D([], [], linestyle="none", markersize=6.5, **look(i)) for i in range(len(series))]  # type: ignore[arg-type]
    for fill in (SURFACE, INK):
        handles.append(Line2D([], [], linestyle="none", marker="o", color=INK, markerfacecolor=fill, markersize=6.5))
    names = [entry.name + (" (control)" if entry.control else "") for entry in series]
    figure.legend(handles, [*names, "hollow: passive student", "filled: strongest student"], fontsize=8,
                  loc="outside right upper", frameon=False)  # fmt: skip


def _save(figure: Figure, path: Path) -> None:
    partial = path.with_name(path.name + ".partial")
    kind = path.suffix.removeprefix(".").lower()
    figure.savefig(partial, dpi=150, format=kind, metadata={"Date": None} if kind == "svg" else None)
    partial.replace(path)


def _student(results: Results, teacher: Any, kind: str, queries: int) -> StudentRow | None:
    if kind == "passive":
        return picks.passive(results, teacher, queries)
    pick = picks.strongest(results, teacher, queries=queries)
    return pick.row if pick else None


def _percents(value: float, interval: Bounds) -> Reach:
    """A value and how far its interval reaches down and up."""
    return 100 * value, 100 * max(value - interval.low, 0.0), 100 * max(interval.high - value, 0.0)
