"""``distillgame tune``."""

from pathlib import Path
from typing import Any

import click
import yaml
from rich.console import Console
from rich.table import Table

from distillgame.cli.options import config_argument, overrides_option, quick_option
from distillgame.report import percent


@click.command()
@config_argument
@click.option("--out", type=click.Path(path_type=Path), help="The run's folder [default: runs/NAME-tuning].")
@quick_option
@overrides_option
def tune(config: str | None, out: Path | None, quick: bool, overrides: dict[str, Any]) -> None:
    """Choose hyper-parameters on the validation split.

    Searches what the configuration's 'tuning' section lists, prints every trial and what to put into the
    configuration, and records both in tuning.json.
    """
    from distillgame.arena import load_config
    from distillgame.arena.config import default_folder
    from distillgame.arena.tune import tune as run_tuning

    folder = default_folder(config, quick)
    root = out or folder.with_name(folder.name + "-tuning")
    result = run_tuning(load_config(config, quick=quick, overrides=overrides), root)
    table = Table(title="validation split")
    for title in ("searched", "policy", "learning rate", "eta", "accuracy"):
        table.add_column(title, no_wrap=True)
    for trial in result.trials:
        rate, eta = ("" if value is None else f"{value:g}" for value in (trial.learning_rate, trial.eta))
        table.add_row(trial.what, trial.policy, rate, eta, percent(trial.accuracy, trial.standard_error))
    Console().print(table)
    chosen = result.model_dump(exclude={"trials"}, exclude_none=True)
    click.echo(f"chosen:\n{yaml.safe_dump(chosen, sort_keys=False)}\nrecorded in {root / 'tuning.json'}")
