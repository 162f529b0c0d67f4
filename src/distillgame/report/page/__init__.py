"""The results page: one HTML file."""

from distillgame.report.page.render import render_page

__all__ = ["render_page"]
