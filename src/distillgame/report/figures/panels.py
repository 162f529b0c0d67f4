"""The panels of a game's figures: leakage against utility, against cost, and against the number of queries."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from distillgame.records import ConfidenceInterval, Results, StudentRow
from distillgame.report.figures.style import INK, MUTED, RULE, SURFACE, look
from distillgame.report.findings import Place, picks, series_of

ASIDE = 1.035
"""The factor between points at one number of queries, which would otherwise hide each other."""

Reach = tuple[float, float, float]
"""A value, and the lengths of its interval downwards and upwards."""


def _percents(value: float, interval: ConfidenceInterval) -> Reach:
    """Return a value in percent, and the lengths of its interval downwards and upwards."""
    return 100 * value, 100 * max(value - interval.low, 0.0), 100 * max(interval.high - value, 0.0)


def _counted(row: StudentRow) -> Reach | None:
    """Return the number of facts that a student learnt, and the lengths of its interval."""
    if row.facts is None:
        return None
    found = row.facts.forced
    return found.mean, max(found.mean - found.interval.low, 0.0), max(found.interval.high - found.mean, 0.0)


@dataclass(frozen=True)
class Measure:
    """A measure of a student, and its name on an axis."""

    of: Callable[[StudentRow], Reach | None]
    title: str


ACCURACY = Measure(lambda row: _percents(row.accuracy, row.interval), "student accuracy, % (leakage)")
FACTS = Measure(_counted, "private facts learnt (crosses: released)")


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
    _over_queries(axes, results, ACCURACY)


def facts_panel(axes: Any, results: Results) -> None:
    """Draw facts learnt over the number of traces, on a logarithmic axis, with the facts released as crosses."""
    shift = _shifts(results)
    for k, (i, place, _) in enumerate(_places(results)):
        found = [(count, row) for count in picks.query_counts(results)
                 if (row := picks.released(results, place.teacher, count))]  # fmt: skip
        axes.plot([count * shift[k] for count, _ in found], [row.derivable.mean for _, row in found],
                  marker="x", linestyle=":", linewidth=1, markersize=5, color=look(i)["color"])  # fmt: skip
    _over_queries(axes, results, FACTS)


def _over_queries(axes: Any, results: Results, measure: Measure) -> None:
    """Draw a measure of both students of every defense over the number of traces."""
    from matplotlib.ticker import NullLocator

    counts, shifts = picks.query_counts(results), _shifts(results)
    for k, (i, place, strengths) in enumerate(_places(results)):
        for kind, dashes in (("passive", "--"), ("strongest", "-")):
            rows = [(count, row) for count in counts if (row := _student(results, place.teacher, kind, count))]
            xs = [(count * shifts[k], 0.0, 0.0) for count, _ in rows]
            _points(axes, xs, [row for _, row in rows], i, kind, dashes, measure)
            if strengths > 1 and kind == "passive" and rows and (last := measure.of(rows[-1][1])):
                text = " ".join(f"{value:g}" for value in place.teacher.strength.values())
                axes.annotate(text, (xs[-1][0], last[0]), xytext=(7, -3),
                              textcoords="offset points", fontsize=7.5, color=look(i)["color"])  # fmt: skip
    _finish(axes, results, measure)
    axes.set_xscale("log")
    axes.set_xticks(counts, [f"{count:,}" for count in counts])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("released traces asked for", color=INK)


def _places(results: Results) -> list[tuple[int, Place, int]]:
    """Return the places of all series, each with its series' index and number of strengths."""
    return [(i, place, len(series.places)) for i, series in enumerate(series_of(results)) for place in series.places]


def _shifts(results: Results) -> list[float]:
    """Return a factor per place: points at one number of queries stand side by side, or they would hide each other."""
    count = len(_places(results))
    return [ASIDE ** (k - (count - 1) / 2) for k in range(count)]


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
            _points(axes, [x for x, _ in drawn], [row for _, row in drawn], i, kind,
                    dashes if curves else "none", ACCURACY)  # fmt: skip
    _finish(axes, results, ACCURACY)


def _points(
    axes: Any, places: list[Reach], rows: list[StudentRow], index: int, kind: str, dashes: str, measure: Measure
) -> None:
    """Draw the points of one kind of student with their intervals, joined if there are several."""
    measured = [(x, y) for x, row in zip(places, rows, strict=True) if (y := measure.of(row))]
    if not measured:
        return
    xs, ys = [x for x, _ in measured], [y for _, y in measured]
    color = look(index)["color"]
    axes.errorbar(
        [x for x, _, _ in xs], [y for y, _, _ in ys],
        xerr=[[low for _, low, _ in xs], [high for _, _, high in xs]],
        yerr=[[low for _, low, _ in ys], [high for _, _, high in ys]],
        marker=look(index)["marker"], markersize=6.5, color=color, elinewidth=1, linewidth=1.2, zorder=3,
        markerfacecolor=SURFACE if kind == "passive" else color, linestyle=dashes if len(xs) > 1 else "none",
    )  # fmt: skip


def _finish(axes: Any, results: Results, measure: Measure) -> None:
    """Draw the untrained student's level and the grid, in colours that a page can change."""
    untrained = [row for row in results.students if picks.control_name(row) == "untrained"]
    if untrained and (found := measure.of(untrained[0])):
        level = found[0]
        axes.axhline(level, color=MUTED, linewidth=1, linestyle=":", zorder=1)
        axes.set_ylim(bottom=min(axes.get_ylim()[0], level - 6))
        axes.annotate("untrained student", (1, level), xycoords=("axes fraction", "data"), xytext=(-2, -3), ha="right",
                      va="top", textcoords="offset points", color=MUTED, fontsize=8)  # fmt: skip
    axes.set_ylabel(measure.title, color=INK)
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
