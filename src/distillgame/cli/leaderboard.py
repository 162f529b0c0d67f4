"""``distillgame leaderboard``."""

from pathlib import Path

import click

from distillgame.report import read_rows, render_leaderboard


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
def leaderboard(folder: Path) -> None:
    """Rank the defenses of all rows in FOLDER, of one run or of many, by what leaked to their strongest student."""
    click.echo(render_leaderboard(read_rows(folder)), nl=False)
