"""``distillgame attack``."""

from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from distillgame.cli.options import overrides_option
from distillgame.report import percent


@click.command()
@click.argument("traces", type=click.Path(path_type=Path))
@click.option("--config", default="suite", show_default=True, help="Suite, base model, trainer, objective and task.")
@click.option("--out", type=click.Path(path_type=Path), help="The run's folder [default: runs/attack-NAME-HASH].")
@overrides_option
def attack(traces: Path, config: str, out: Path | None, overrides: dict[str, Any]) -> None:
    """Run a suite of students on TRACES from any source, Parquet, JSON Lines or JSON, with a 'messages' column.

    Students that need more than the file gives are left out. A column 'correct' says which answers are right.
    """
    from distillgame.arena.stages import GivenStage
    from distillgame.arena.sweep import attack as run_attack
    from distillgame.arena.sweep import attack_folder
    from distillgame.models import quiet

    quiet()
    root = out or attack_folder(GivenStage.of(traces))
    results = run_attack(traces, config, root, overrides=overrides)
    table = Table(title=f"{traces.name}, students on {results.task}, {results.split} split")
    for title in ("student", "level", "validation", "accuracy", "seeds", "over passive"):
        table.add_column(title, no_wrap=True)
    for row in results.students:
        gap = row.over_passive
        over = "" if gap is None else f"{100 * gap.value:+.1f} ± {100 * gap.standard_error:.1f}"
        table.add_row(
            f"{row.label}{' (strongest)' if row.strongest else ''}",
            "control" if row.control else row.threat_model.level,
            "" if row.validation is None else f"{100 * row.validation:.1f}",
            percent(row.accuracy, row.standard_error),
            str(len(row.seeds)),
            over if gap is None or gap.significant else f"{over} (not significant)",
        )
    console = Console(width=None if Console().is_terminal else 160)
    console.print(table)
    for flag in results.flags:
        console.print(f"{flag.flag}: {flag.message}", highlight=False, markup=False)
    click.echo(f"\nwritten to {root}: results.json, summary.md, stages/")
