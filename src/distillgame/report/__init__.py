"""Tables, figures and summaries of results."""

from distillgame.report.figure import draw_frontier
from distillgame.report.summary import markdown_summary
from distillgame.report.table import CAPTION, header, percent, rows

__all__ = ["CAPTION", "draw_frontier", "header", "markdown_summary", "percent", "rows"]
