"""``distillgame values``."""

from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from distillgame.cli.options import config_argument, overrides_option, quick_option


@click.command()
@config_argument
@click.option("--out", type=click.Path(path_type=Path), help="The run's folder [default: runs/NAME-values].")
@click.option("--traces", default=256, show_default=True, help="Traces of each policy that are valued.")
@quick_option
@overrides_option
def values(config: str | None, out: Path | None, traces: int, quick: bool, overrides: dict[str, Any]) -> None:
    """Compare the ways to value a trace with the measured effect of training on it.

    For every policy of a game, prints the rank correlation of each value with 'heldout', the measured drop of the
    attacker's validation loss after a trace's part of a training step. The table is also written to values.json.
    """
    from distillgame.arena import load_config
    from distillgame.arena.config import default_folder
    from distillgame.arena.values import compare_values

    folder = default_folder(config, quick)
    root = out or folder.with_name(folder.name + "-values")
    rows = compare_values(load_config(config, quick=quick, overrides=overrides), root, traces)
    table = Table(title=f"rank correlation with heldout, {traces} traces")
    for title in ("policy", "at", "value", "correlation", "95% interval", "traces"):
        table.add_column(title, no_wrap=True)
    for row in rows:
        interval = "" if row.interval is None else f"{row.interval.low:+.2f} to {row.interval.high:+.2f}"
        known = "does not vary" if row.correlation is None else f"{row.correlation:+.2f}"
        table.add_row(row.defense, row.side, row.value, known, interval, str(row.traces))
    Console(width=None if Console().is_terminal else 120).print(table)
    click.echo(f"written to {root / 'values.json'}")
