"""``distillgame play``."""

from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from distillgame.arena import load_config
from distillgame.arena import play as play_game
from distillgame.arena.estimate import estimate
from distillgame.arena.play import default_folder
from distillgame.cli.options import config_argument, overrides_option, quick_option
from distillgame.records import Results
from distillgame.report import CAPTION, header, rows


@click.command()
@config_argument
@click.option("--out", type=click.Path(path_type=Path), help="The run's folder [default: runs/NAME].")
@quick_option
@overrides_option
@click.option(
    "--dry-run",
    is_flag=True,
    help="Print stages, sizes, memory and estimated cost; download and run nothing.",
)
def play(config: str | None, out: Path | None, quick: bool, overrides: dict[str, Any], dry_run: bool) -> None:
    """Play a game: sample under every policy, train every student, evaluate both sides.

    CONFIG is a YAML file or the name of a shipped one; without it the embedded world is played. A run that was
    killed goes on where it stopped.
    """
    if dry_run:
        click.echo(estimate(load_config(config, quick=quick, overrides=overrides)))
        return
    root = out or default_folder(config, quick)
    results = play_game(config, root, quick=quick, overrides=overrides)
    console = Console(width=None if Console().is_terminal else 160)
    console.print(_table(results))
    console.print(CAPTION, style="dim", highlight=False)
    click.echo(f"\nwritten to {root}: results.json, summary.md, frontier.png, stages/")


def _table(results: Results) -> Table:
    table = Table(title=f"{results.task}, {results.split} split")
    for i, title in enumerate(header(results)):
        table.add_column(title, justify="left" if i == 0 else "right", no_wrap=True)
    for cells in rows(results):
        table.add_row(*cells)
    return table
