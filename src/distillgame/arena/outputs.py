"""What a game leaves behind: results, rows, table, figures, and the page with its traces."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

from distillgame.arena.choices import Defense
from distillgame.arena.plan import Planner
from distillgame.arena.stages import TRACES
from distillgame.arena.store import Store, write_text
from distillgame.errors import DistillgameError
from distillgame.models import load_tokenizer
from distillgame.records import Results, Trace, ViewedProblem, ViewedTrace, read_results, read_traces
from distillgame.report import attack_summary, draw_frontier, draw_queries, markdown_summary, render_page
from distillgame.report.leaderboard import leaderboard_rows

VIEWED = 24
"""Problems in the page's viewer."""

RESULTS, SUMMARY, PAGE = "results.json", "summary.md", "report.html"
VIEWER, ROWS = "viewer.json", "rows"
"""Files and a folder of a run."""


def view(planner: Planner, store: Store, defenses: Sequence[Defense], split: str = "test") -> list[ViewedProblem]:
    """The first problems of a split as each defense released them, with the first seed."""
    seed = planner.config.seeds[0]
    problems = planner.problems(split).load()[:VIEWED]
    columns = []
    for defense in defenses:
        traces = read_traces(store.folder(planner.release(defense, split, seed)) / TRACES)
        columns.append([_viewed(planner, defense, trace) for trace in traces[:VIEWED]])
    return [
        ViewedProblem(
            id=problem.id,
            question=problem.question,
            reference=problem.solution,
            traces=[column[i] for column in columns],
        )
        for i, problem in enumerate(problems)
    ]


def write_outputs(results: Results, viewed: Sequence[ViewedProblem], root: Path) -> None:
    """Write all that is made of results; ``results.json`` last, since its presence says that a run is complete."""
    if results.teachers:
        (root / ROWS).mkdir(exist_ok=True)
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
    for suffix in ("png", "svg"):
        draw_frontier(results, root / f"frontier.{suffix}")
        if len({row.threat_model.queries for row in results.students} - {0}) > 1:
            draw_queries(results, root / f"queries.{suffix}")
    write_text(root / PAGE, render_page(results, viewed))


def _viewed(planner: Planner, defense: Defense, trace: Trace) -> ViewedTrace:
    pieces, kl = [trace.completion], []
    if defense.form.name == "full" and trace.token_kl is not None:
        decoded = _pieces(planner, trace.token_ids)
        # What follows the sampled tokens is a forced answer, which nothing was measured on.
        rest = trace.completion[len("".join(decoded)) :]
        if trace.completion.startswith("".join(decoded)):
            pieces, kl = [*decoded, *([rest] if rest else [])], [float(value) for value in trace.token_kl]
    return ViewedTrace(
        defense=defense.label,
        pieces=pieces,
        kl=kl,
        value=trace.v_gap,
        total_kl=trace.kl,
        answer=trace.extracted,
        correct=trace.correct,
        finish_reason=trace.finish_reason,
    )


def _pieces(planner: Planner, tokens: Sequence[int]) -> list[str]:
    """The text that each token adds, by decoding ever longer beginnings."""
    tokenizer = load_tokenizer(planner.config.teacher)
    texts = [tokenizer.decode(tokens[: i + 1], skip_special_tokens=True) for i in range(len(tokens))]
    # A character that ends in a later token is withheld until then.
    whole = [text if not text.endswith("\ufffd") else text.rstrip("\ufffd") for text in texts]
    return [after[len(before) :] for before, after in zip(["", *whole], whole, strict=False)]
