"""The table of a game on a terminal."""

from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from distillgame.records import Results
from distillgame.report import caption, header, rows


def print_results(results: Results, root: Path) -> None:
    """Print the table of a game, its flags, and where all of it is."""
    table = Table(title=f"{results.task}, {results.split} split")
    for i, title in enumerate(header(results)):
        table.add_column(title, justify="left" if i == 0 else "right", no_wrap=True)
    for cells in rows(results):
        table.add_row(*cells)
    console = Console(width=None if Console().is_terminal else 180)
    console.print(table)
    console.print(caption(results), style="dim", highlight=False)
    for flag in results.flags:
        where = " ".join(filter(None, [flag.defense, flag.student]))
        console.print(
            f"flag {flag.flag}{f' ({where})' if where else ''}: {flag.message}", highlight=False, markup=False
        )
    click.echo(f"\nwritten to {root}: report.html, results.json, summary.md, frontier.png, rows/, stages/")
