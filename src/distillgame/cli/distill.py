"""``distillgame distill``."""

from pathlib import Path
from typing import Any

import click

from distillgame.cli.options import assignments, overrides_option


@click.command()
@click.argument("traces", type=click.Path(path_type=Path))
@click.option("--config", help="Base model, trainer and objective [default: the default game's].")
@click.option("--student", default="passive", show_default=True, help="How traces are weighed.")
@click.option("--setting", multiple=True, metavar="NAME=VALUE", help="The student's parameter, as in eta=2.")
@click.option("--seed", default=0, show_default=True, help="Seed of the training.")
@click.option(
    "--objective-traces",
    type=click.Path(path_type=Path),
    help="Trace file for the objectives 'released' and 'clean'.",
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="A new folder for the trained student.")
@overrides_option
def distill(
    traces: Path,
    config: str | None,
    student: str,
    setting: tuple[str, ...],
    seed: int,
    objective_traces: Path | None,
    out: Path,
    overrides: dict[str, Any],
) -> None:
    """Train one student on TRACES, a Parquet, JSON Lines or JSON file with a 'messages' column."""
    from distillgame.arena import load_config
    from distillgame.arena.one_stage import distill_file
    from distillgame.models import quiet
    from distillgame.students import StudentChoice

    quiet()
    choice = StudentChoice(name=student, options=assignments(setting, "NAME=VALUE"))
    game = load_config(config, overrides=overrides)
    report = distill_file(game, traces, choice, seed, out, objective_traces)
    cut = f", {report.cut} of them cut at {game.training.max_length} tokens" if report.cut else ""
    click.echo(
        f"{report.traces} traces{cut}, {report.steps} steps, loss {report.loss:.4f} nats per token, "
        f"rho {report.rho:.3f} nats\nwritten to {out / 'model'}"
    )
