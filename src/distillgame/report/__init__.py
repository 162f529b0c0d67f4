"""Tables, figures, summaries and the page of a game's results, and the reports of other studies."""

from distillgame.report.figures import draw_frontier, draw_legibility, draw_queries
from distillgame.report.findings import Verdict, agreed, name_of, percent, verdict
from distillgame.report.page import render_page
from distillgame.report.studies import (
    case_name,
    draw_bench,
    draw_derivative,
    draw_solution,
    render_bench,
    render_derivative,
    render_solution,
    render_vllm_bench,
)
from distillgame.report.tables import (
    COST_HEADER,
    attack_summary,
    caption,
    cost_rows,
    header,
    leaderboard_rows,
    legibility_header,
    legibility_rows,
    markdown_summary,
    read_rows,
    render_leaderboard,
    rows,
    students_of,
)

__all__ = [
    "COST_HEADER",
    "Verdict",
    "agreed",
    "attack_summary",
    "caption",
    "case_name",
    "cost_rows",
    "draw_bench",
    "draw_derivative",
    "draw_frontier",
    "draw_legibility",
    "draw_queries",
    "draw_solution",
    "header",
    "leaderboard_rows",
    "legibility_header",
    "legibility_rows",
    "markdown_summary",
    "name_of",
    "percent",
    "read_rows",
    "render_bench",
    "render_derivative",
    "render_leaderboard",
    "render_page",
    "render_solution",
    "render_vllm_bench",
    "rows",
    "students_of",
    "verdict",
]
