"""``distillgame sweep``."""

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
@click.option("--dry-run", is_flag=True, help="Print stages, sizes, memory and estimated cost; run nothing.")
def sweep(config: str | None, out: Path | None, quick: bool, overrides: dict[str, Any], dry_run: bool) -> None:
    """Play a grid of policies, strengths, students, seeds and queries, and draw its frontier.

    CONFIG is a YAML file or the name of a shipped one, 'sweep' by default; its 'sweep' section lists further strengths
    of the game's policies, and numbers of queries. A sweep that was killed goes on where it stopped.
    """
    from distillgame.arena.config import default_folder, load_config
    from distillgame.arena.dry_run import estimate
    from distillgame.arena.sweep import sweep as play_sweep
    from distillgame.arena.sweep import widened

    source = config or "sweep"
    if dry_run:
        game = load_config(source, quick=quick, overrides=overrides)
        click.echo(estimate(widened(game), queries=game.sweep.queries, choose=True))
        return
    root = out or default_folder(source, quick)
    print_results(play_sweep(source, root, quick=quick, overrides=overrides), root)
