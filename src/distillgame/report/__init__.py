"""Tables, figures, summaries and the page of a game's results."""

from distillgame.report.figure import draw_frontier, draw_queries
from distillgame.report.page import render_page
from distillgame.report.summary import attack_summary, markdown_summary
from distillgame.report.table import CAPTION, header, rows, students_of
from distillgame.report.verdict import Verdict, verdict
from distillgame.report.words import name_of, percent

__all__ = [
    "CAPTION",
    "Verdict",
    "attack_summary",
    "draw_frontier",
    "draw_queries",
    "header",
    "markdown_summary",
    "name_of",
    "percent",
    "render_page",
    "rows",
    "students_of",
    "verdict",
]
