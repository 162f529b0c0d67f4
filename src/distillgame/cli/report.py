"""``distillgame report``."""

from pathlib import Path

import click


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
def report(run: Path) -> None:
    """Make the table, the figures and the page of a finished RUN anew, from its results and traces."""
    from distillgame.arena.results import report as make_report

    click.echo(f"written to {make_report(run)}")
