"""The table of a game on a terminal."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from distillgame.records import JudgedExhibit, Results
from distillgame.report import COST_HEADER, agreed, caption, cost_rows, header, legibility_header, legibility_rows, rows


def print_results(results: Results, root: Path) -> None:
    """Print the table of a game, its flags, and where all of it is."""
    console = Console(width=None if Console().is_terminal else 180)
    _print_table(f"{results.task}, {results.split} split", header(results), rows(results), console)
    console.print(caption(results), style="dim", highlight=False)
    _print_flags(results, console)
    click.echo(f"\nwritten to {root}: report.html, results.json, summary.md, frontier.png, rows/, stages/")


def print_legibility(results: Results, root: Path) -> None:
    """Print what judges say about every defense of a game, and the game's flags."""
    assert results.legibility is not None
    console = Console(width=None if Console().is_terminal else 180)
    for judge in results.legibility.judges:
        _print_table(f"{results.task}, judged by {judge.judge}", legibility_header(results, judge.judge),
                     legibility_rows(results, judge.judge), console)  # fmt: skip
        if cost := cost_rows(results, judge.judge):
            _print_table(f"what {judge.judge} cost", COST_HEADER, cost, console)
    for row in results.legibility.agreements:
        console.print(agreed(row), highlight=False, markup=False)
    _print_flags(results, console)
    click.echo(f"\nwritten to {root}: report.html, results.json, summary.md")


def print_judged(judged: Mapping[str, Sequence[JudgedExhibit]], folder: Path) -> None:
    """Print the mean score on every criterion of traces from elsewhere, what was not scored, and the tokens."""
    console = Console(width=None if Console().is_terminal else 120)
    for judge, exhibits in judged.items():
        names = dict.fromkeys(name for each in exhibits for name in each.scores)
        found = {name: [each.scores[name] for each in exhibits if name in each.scores] for name in names}
        cells = [[name, f"{sum(scores) / len(scores):.2f}", str(len(scores))] for name, scores in found.items()]
        _print_table(f"{len(exhibits)} traces, judged by {judge}", ["criterion", "mean", "traces"], cells, console)
        failures = Counter(each.failure for each in exhibits if each.failure is not None)
        if failures:
            click.echo("not scored: " + ", ".join(f"{count} {reason}" for reason, count in failures.items()))
        read, wrote = sum(each.prompt_tokens for each in exhibits), sum(each.tokens for each in exhibits)
        if read:
            click.echo(f"tokens: {read:,} read, {wrote:,} written")
    click.echo(f"written to {folder}")


def _print_table(title: str, titles: Sequence[str], cells: Sequence[Sequence[str]], console: Console) -> None:
    table = Table(title=title)
    for i, name in enumerate(titles):
        table.add_column(name, justify="left" if i == 0 else "right", no_wrap=True)
    for line in cells:
        table.add_row(*line)
    console.print(table)


def _print_flags(results: Results, console: Console) -> None:
    for flag in results.flags:
        where = " ".join(filter(None, [flag.defense, flag.student]))
        console.print(
            f"flag {flag.flag}{f' ({where})' if where else ''}: {flag.message}", highlight=False, markup=False
        )
