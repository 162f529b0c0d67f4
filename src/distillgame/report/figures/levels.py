"""Auditability: its distribution over levels, and as a third axis of leakage against utility."""

from collections.abc import Callable
from typing import Any

from distillgame.records import LegibilityRow, Results
from distillgame.report.figures.panels import utility_panel
from distillgame.report.figures.style import INK, MUTED, RULE, look
from distillgame.report.findings import series_of

WIDTH = 0.8
"""Width of a group of bars, in levels."""

LARGEST = 900
"""Area of a ring at the best score, in square points."""


def levels_panel(judge: str) -> Callable[[Any, Results], None]:
    """Return the panel that draws the share of traces on each level, by defense, with 95% intervals.

    Args:
        judge: The judge.
    """

    def draw(axes: Any, results: Results) -> None:
        rows = _rows(results, judge)
        width = WIDTH / max(len(rows), 1)
        for k, (index, row) in enumerate(rows):
            places = [level.level - WIDTH / 2 + (k + 0.5) * width for level in row.levels]
            shares = [100 * level.share for level in row.levels]
            below = [100 * max(level.share - level.interval.low, 0.0) for level in row.levels]
            above = [100 * max(level.interval.high - level.share, 0.0) for level in row.levels]
            axes.bar(places, shares, width=0.9 * width, color=look(index)["color"], zorder=2)
            axes.errorbar(places, shares, yerr=[below, above], linestyle="none", color=INK, elinewidth=0.8, zorder=3)
        axes.set_xticks(range(1, 6))
        axes.set_xlabel("auditability", color=INK)
        axes.set_ylabel("traces, %", color=INK)
        axes.set_ylim(bottom=0)
        axes.grid(axis="y", color=RULE, linewidth=0.7)
        axes.set_axisbelow(True)
        axes.set_facecolor("none")
        axes.tick_params(colors=MUTED, length=0)
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color(RULE)

    return draw


def legible_panel(axes: Any, results: Results) -> None:
    """Draw student accuracy over teacher accuracy, each defense in a ring that grows with the first judge's score."""
    utility_panel(axes, results)
    for i, place in [(i, place) for i, series in enumerate(series_of(results)) for place in series.places]:
        row = None if results.legibility is None else results.legibility.of(place.teacher.defense)
        student = place.strongest or place.passive
        if row is None or row.auditability is None or student is None:
            continue
        at, score = (100 * place.teacher.accuracy, 100 * student.accuracy), row.auditability.mean
        axes.scatter(*at, s=LARGEST * (score - 1) / 4, facecolors="none", edgecolors=look(i)["color"], linewidths=1.2)
        axes.annotate(f"{score:.1f}", at, xytext=(9, 9), textcoords="offset points", fontsize=8, color=look(i)["color"])


def _rows(results: Results, judge: str) -> list[tuple[int, LegibilityRow]]:
    """Return the judge's rows in the order of the figures' series, each with its series' index."""
    known = {row.defense: row for row in results.legibility.rows if row.judge == judge} if results.legibility else {}
    places = [(i, place) for i, series in enumerate(series_of(results)) for place in series.places]
    return [(i, known[place.teacher.defense]) for i, place in places if place.teacher.defense in known]
