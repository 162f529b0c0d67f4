"""The panels of a game's figures: leakage against utility, against cost, and against the number of queries."""

from collections.abc import Callable
from typing import Any

from distillgame.records import ConfidenceInterval, Results, StudentRow
from distillgame.report.figures.style import INK, MUTED, RULE, SURFACE, look
from distillgame.report.findings import Place, picks, series_of

ASIDE = 1.035
"""The factor between points at one number of queries, which would otherwise hide each other."""

Reach = tuple[float, float, float]
"""A value, and the lengths of its interval downwards and upwards."""


def has_costs(results: Results) -> bool:
    """Return whether time costs were measured."""
    return any(row.time_cost is not None for row in results.teachers)


def utility_panel(axes: Any, results: Results) -> None:
    """Draw student accuracy over teacher accuracy."""

    def at(place: Place) -> Reach:
        return _percents(place.teacher.accuracy, place.teacher.interval)

    _panel(axes, results, at, curves=True)
    axes.set_xlabel("teacher accuracy, % (utility)", color=INK)


def cost_panel(axes: Any, results: Results) -> None:
    """Draw student accuracy over the time per token."""
    from matplotlib.ticker import FuncFormatter

    def at(place: Place) -> Reach | None:
        cost, spread = place.teacher.time_cost, place.teacher.time_cost_range
        if cost is None:
            return None
        return cost, max(cost - spread.min, 0.0) if spread else 0.0, max(spread.max - cost, 0.0) if spread else 0.0

    _panel(axes, results, at, curves=False)
    axes.axvline(1, color=MUTED, linewidth=0.8, linestyle=":")
    axes.set_xlabel("time per token, relative to no defense (cost)", color=INK)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}×"))


def queries_panel(axes: Any, results: Results) -> None:
    """Draw student accuracy over the number of traces, on a logarithmic axis."""
    from matplotlib.ticker import NullLocator

    counts = picks.query_counts(results)
    places = [(i, place, len(series.places)) for i, series in enumerate(series_of(results)) for place in series.places]
    for k, (i, place, strengths) in enumerate(places):
        # Points at one number of queries stand side by side, or their intervals would hide each other.
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
    """Draw both students of every defense, joined to curves where a policy has several strengths."""
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
    """Draw the points of one kind of student with their intervals, joined if there are several."""
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
    """Draw the untrained student's level and the grid, in colours that a page can change."""
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


def _student(results: Results, teacher: Any, kind: str, queries: int) -> StudentRow | None:
    if kind == "passive":
        return picks.passive(results, teacher, queries)
    pick = picks.strongest(results, teacher, queries=queries)
    return pick.row if pick else None


def _percents(value: float, interval: ConfidenceInterval) -> Reach:
    """Return a value in percent, and the lengths of its interval downwards and upwards."""
    return 100 * value, 100 * max(value - interval.low, 0.0), 100 * max(interval.high - value, 0.0)
