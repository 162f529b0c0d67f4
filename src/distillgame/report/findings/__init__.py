"""The findings of a game: the rows a reader looks for, the points of its curves, its verdict, and their wording."""

from distillgame.report.findings import picks
from distillgame.report.findings.series import Place, Series, areas, series_of
from distillgame.report.findings.verdict import Verdict, verdict
from distillgame.report.findings.words import (
    INSIGNIFICANT,
    agreed,
    bounds,
    name_of,
    number,
    p_value,
    percent,
    points,
    relative,
    relative_bounds,
    scored,
    shifted,
    tested,
)

__all__ = [
    "INSIGNIFICANT",
    "Place",
    "Series",
    "Verdict",
    "agreed",
    "areas",
    "bounds",
    "name_of",
    "number",
    "p_value",
    "percent",
    "picks",
    "points",
    "relative",
    "relative_bounds",
    "scored",
    "series_of",
    "shifted",
    "tested",
    "verdict",
]
