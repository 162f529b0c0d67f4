"""``distillgame judge``."""

from pathlib import Path
from typing import Any

import click

from distillgame.cli.options import overrides_option, yaml_value
from distillgame.cli.tables import print_judged, print_legibility


@click.command()
@click.argument("run", type=click.Path(path_type=Path), required=False)
@click.option("--traces", type=click.Path(path_type=Path), help="Judge this file of traces instead of a run.")
@click.option("--judge", "named", multiple=True, metavar="JUDGE", help="A judge, as in a configuration: checked, "
              "or '{rubric: {model: openai/gpt-4o}}' [default: the run's own, or checked].")  # fmt: skip
@click.option("--problems", type=int, help="How many problems are judged, as every defense released them.")
@click.option("--max-tokens", type=click.IntRange(min=1), metavar="N",
              help="Ask no more once a judge has read and written so many tokens.")  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path), help="With --traces: the folder [default: runs/judge-NAME].")
@click.option(
    "--labels",
    type=click.Path(path_type=Path),
    help="A sheet that people filled in, as one more judge beside the run's.",
)
@click.option("--export-labels", type=click.Path(path_type=Path), help="Write such a sheet, blinded, and stop.")
@click.option("--rows", default=100, show_default=True, help="With --export-labels: how many rows.")
@click.option("--dry-run", is_flag=True, help="Say how many exhibits and calls there would be; ask nothing.")
@overrides_option
def judge(
    run: Path | None,
    traces: Path | None,
    named: tuple[str, ...],
    problems: int | None,
    max_tokens: int | None,
    out: Path | None,
    labels: Path | None,
    export_labels: Path | None,
    rows: int,
    dry_run: bool,
    overrides: dict[str, Any],
) -> None:
    """Let judges say whether what was released is still worth reading.

    RUN is the folder of a finished game, whose results, table and page gain what the judges say.
    """
    from distillgame.arena.config.sections import Judging
    from distillgame.arena.judging import (
        DEFAULT,
        capped,
        export_sheet,
        judge_file,
        judge_run,
        judges_of,
        preview,
        preview_file,
    )
    from distillgame.strict import parse

    if (run is None) == (traces is None):
        raise click.UsageError("name either the folder of a run, or --traces FILE")
    of_runs = {"--problems": problems, "--export-labels": export_labels, "--labels": labels, "--set": overrides}
    given = [name for name, value in (of_runs if traces is not None else {"--out": out}).items() if value]
    if given:
        raise click.UsageError(f"{given[0]} goes with {'a run' if traces is not None else '--traces'}")
    listed = [yaml_value(text, "--judge") for text in named]
    if "judge.judges" in overrides and (named or labels is not None or max_tokens is not None):
        raise click.UsageError("'--set judge.judges' names the judges: leave out --judge, --labels and --max-tokens")
    if labels is not None and run is not None:
        sheet = {"name": "labels", "options": {"file": str(labels)}}
        listed = [*(each for each in listed or judges_of(run) if each != sheet), sheet]
    if max_tokens is not None:
        listed = capped(listed or ([DEFAULT] if run is None else judges_of(run)), max_tokens)
    if traces is not None:
        choices = parse(Judging, {"judges": listed or [DEFAULT]}, "--judge").judges
        folder = out or Path("runs") / f"judge-{traces.stem}"
        if dry_run:
            click.echo("\n".join(preview_file(traces, choices)))
            return
        print_judged(judge_file(traces, choices, folder), folder)
        return
    assert run is not None
    changes = dict(overrides)
    changes |= {"judge.judges": listed} if listed else {}
    changes |= {} if problems is None else {"judge.problems": problems}
    if export_labels is not None:
        click.echo(f"written to {export_labels}: {export_sheet(run, changes, export_labels, rows)} rows to fill in")
        return
    if dry_run:
        click.echo("\n".join(preview(run, changes)))
        return
    print_legibility(judge_run(run, changes), run)
