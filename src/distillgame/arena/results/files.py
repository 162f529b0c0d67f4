"""The files of a finished game: results, rows, table, figures, and the page with its traces."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

from distillgame.arena.store import write_text
from distillgame.errors import DistillgameError
from distillgame.records import Results, ViewedProblem, read_results
from distillgame.report import (
    attack_summary,
    draw_frontier,
    draw_legibility,
    draw_queries,
    leaderboard_rows,
    markdown_summary,
    render_page,
)

RESULTS, SUMMARY, PAGE = "results.json", "summary.md", "report.html"
VIEWER, ROWS = "viewer.json", "rows"
"""Files and a folder of a run."""


def write_outputs(results: Results, viewed: Sequence[ViewedProblem], root: Path) -> None:
    """Write all files of a finished game; ``results.json`` last, since its presence says that a run is complete."""
    if results.teachers:
        (root / ROWS).mkdir(exist_ok=True)
        for path in (root / ROWS).glob("*.json"):
            path.unlink()  # of a game that had other defenses
        for defense, row in leaderboard_rows(results).items():
            name = re.sub(r"[^a-zA-Z0-9.]+", "-", defense).strip("-")
            write_text(root / ROWS / f"{name}.json", row.model_dump_json(indent=1) + "\n")
        write_text(root / VIEWER, json.dumps([problem.model_dump() for problem in viewed]) + "\n")
        _write_report(results, viewed, root)
    else:
        write_text(root / SUMMARY, attack_summary(results))
    results.write(root / RESULTS)


def report(root: Path) -> Path:
    """Make a finished run's table, figures and page anew, and return the page.

    Raises:
        DistillgameError: If the folder holds no finished run, or one of traces from elsewhere.
    """
    results = read_results(root / RESULTS)
    if not results.teachers:
        raise DistillgameError(f"{root}: an attack on given traces has no page; its table is {root / SUMMARY}")
    try:
        rows = json.loads((root / VIEWER).read_text(encoding="utf-8"))
        viewed = [ViewedProblem.model_validate(row) for row in rows]
    except (OSError, ValueError, TypeError) as error:
        raise DistillgameError(f"{root / VIEWER}: missing or not readable; play the run again") from error
    _write_report(results, viewed, root)
    return root / PAGE


def _write_report(results: Results, viewed: Sequence[ViewedProblem], root: Path) -> None:
    write_text(root / SUMMARY, markdown_summary(results))
    draw_frontier(results, *(root / f"frontier.{suffix}" for suffix in ("png", "svg")))
    if len({row.threat_model.queries for row in results.students} - {0}) > 1:
        draw_queries(results, *(root / f"queries.{suffix}" for suffix in ("png", "svg")))
    if results.legibility is not None:
        draw_legibility(results, *(root / f"legibility.{suffix}" for suffix in ("png", "svg")))
    write_text(root / PAGE, render_page(results, viewed))
