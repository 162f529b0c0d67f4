"""``distillgame derivative``."""

from pathlib import Path
from typing import Any

import click
from rich.console import Console

from distillgame.cli.options import config_argument, overrides_option, quick_option


@click.command()
@config_argument
@click.option("--out", type=click.Path(path_type=Path), help="The run's folder [default: runs/NAME].")
@click.option("--traces", type=click.IntRange(1), default=24, show_default=True, help="Worked solutions to derive on.")
@quick_option
@overrides_option
def derivative(config: str | None, out: Path | None, traces: int, quick: bool, overrides: dict[str, Any]) -> None:
    """Compare the ways to compute ADS's derivative, over steps and precisions.

    Writes derivative.json, derivative.md and derivative.png.
    """
    from distillgame.arena import load_config
    from distillgame.arena.bench.derivative import compare_derivatives
    from distillgame.arena.config import default_folder
    from distillgame.models import quiet

    quiet()
    folder = out or default_folder(config, quick)
    console = Console(stderr=True)
    with console.status("the defender's gradient") as status:
        compare_derivatives(load_config(config, quick=quick, overrides=overrides), folder, traces, status.update)
    click.echo((folder / "derivative.md").read_text())
    click.echo(f"written to {folder}")
