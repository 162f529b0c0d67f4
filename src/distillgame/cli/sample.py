"""``distillgame sample``."""

from pathlib import Path
from typing import Any

import click

from distillgame.cli.options import assignments, config_argument, overrides_option, quick_option


@click.command()
@config_argument
@click.option("--policy", default="standard", show_default=True, help="Release policy.")
@click.option("--strength", "-p", multiple=True, metavar="NAME=VALUE", help="The policy's parameter, as in gamma=0.3.")
@click.option("--split", default="train", show_default=True, help="Which split to sample.")
@click.option(
    "--seed",
    default=0,
    show_default=True,
    help="Seed of the random streams; marks are those of the policy's epoch plus it.",
)
@click.option("--out", type=click.Path(path_type=Path), help="The run's folder [default: runs/NAME].")
@quick_option
@overrides_option
def sample(
    config: str | None,
    policy: str,
    strength: tuple[str, ...],
    split: str,
    seed: int,
    out: Path | None,
    quick: bool,
    overrides: dict[str, Any],
) -> None:
    """Sample one split from the teacher under one policy, graded and measured.

    The result is the very stage that a game with the same configuration uses; in the same folder it is shared.
    """
    from distillgame.arena import load_config
    from distillgame.arena.config import default_folder
    from distillgame.arena.one_stage import sample_split
    from distillgame.policies import PolicyChoice

    choice = PolicyChoice(name=policy, options=assignments(strength, "NAME=VALUE"))
    game = load_config(config, quick=quick, overrides=overrides)
    summary = sample_split(game, choice, split, seed, out or default_folder(config, quick))
    click.echo(f"{summary}\nwritten to {summary.path}")
