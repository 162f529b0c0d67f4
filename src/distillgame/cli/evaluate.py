"""``distillgame evaluate``."""

from pathlib import Path
from typing import Any

import click

from distillgame.cli.options import overrides_option
from distillgame.strict import parse


@click.command()
@click.argument("model")
@click.option("--config", help="Task, splits and sampling [default: the default game's].")
@click.option("--split", default="test", show_default=True, help="Which split to answer.")
@click.option("--out", type=click.Path(path_type=Path), help="The run's folder [default: runs/NAME].")
@overrides_option
def evaluate(model: str, config: str | None, split: str, out: Path | None, overrides: dict[str, Any]) -> None:
    """Let MODEL answer a split, the way students are evaluated.

    MODEL is a folder (of a trained student, say), a .gguf file, embedded:NAME or a hub name.
    """
    from distillgame.arena import load_config
    from distillgame.arena.config import default_folder
    from distillgame.arena.one_stage import evaluate_model
    from distillgame.models import ModelSpec

    game = load_config(config, overrides=overrides)
    summary = evaluate_model(game, parse(ModelSpec, {"source": model}, "MODEL"), split, out or default_folder(config))
    click.echo(f"{summary}\nwritten to {summary.path}")
