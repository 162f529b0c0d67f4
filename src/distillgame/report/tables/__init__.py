"""Tables of a game as text: for terminals, summaries and leaderboards."""

from distillgame.report.tables.leaderboard import leaderboard_rows, read_rows, render_leaderboard
from distillgame.report.tables.legibility import COST_HEADER, cost_rows, legibility_header, legibility_rows
from distillgame.report.tables.narrow import caption, header, rows, students_of
from distillgame.report.tables.summary import attack_summary, markdown_summary
from distillgame.report.tables.suspects import suspect_lines

__all__ = [
    "COST_HEADER",
    "attack_summary",
    "caption",
    "cost_rows",
    "header",
    "leaderboard_rows",
    "legibility_header",
    "legibility_rows",
    "markdown_summary",
    "read_rows",
    "render_leaderboard",
    "rows",
    "students_of",
    "suspect_lines",
]
