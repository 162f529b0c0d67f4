"""``distillgame play``."""

from pathlib import Path
from typing import Any

import click

from distillgame.cli.options import config_argument, overrides_option, quick_option
from distillgame.cli.tables import print_results


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

    CONFIG is a YAML file or the name of a shipped one; without it the default game is played. A run that was
    killed goes on where it stopped.
    """
    from distillgame.arena import load_config
    from distillgame.arena import play as play_game
    from distillgame.arena.config import default_folder
    from distillgame.arena.dry_run import estimate

    if dry_run:
        click.echo(estimate(load_config(config, quick=quick, overrides=overrides)))
        return
    root = out or default_folder(config, quick)
    print_results(play_game(config, root, quick=quick, overrides=overrides), root)
