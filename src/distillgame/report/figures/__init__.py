"""The figures of a game: leakage against utility, cost and the number of queries."""

from distillgame.report.figures.drawing import draw_frontier, draw_legibility, draw_queries, inline_svg
from distillgame.report.figures.levels import legible_panel, levels_panel
from distillgame.report.figures.panels import cost_panel, facts_panel, has_costs, queries_panel, utility_panel
from distillgame.report.figures.style import COLOURS, MARKERS

__all__ = [
    "COLOURS",
    "MARKERS",
    "cost_panel",
    "draw_frontier",
    "draw_legibility",
    "draw_queries",
    "facts_panel",
    "has_costs",
    "inline_svg",
    "legible_panel",
    "levels_panel",
    "queries_panel",
    "utility_panel",
]
