"""``distillgame worlds``."""

from collections.abc import Set
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress


@click.group()
def worlds() -> None:
    """The embedded worlds' models."""


@worlds.command()
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs/world"), show_default=True)
@click.option("--only", multiple=True, help="Train this model alone; any number of times.")
def train(out: Path, only: tuple[str, ...]) -> None:
    """Train the models from their seeded recipe and assert their preconditions."""
    from distillgame.worlds.build import build
    from distillgame.worlds.recipes import RECIPES

    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal) as progress:
        bars = {name: progress.add_task(name, total=None) for name in (only or RECIPES)}

        def report(name: str, done: int, total: int, loss: float) -> None:
            text = f"{name} loss {loss:.3f}"
            progress.update(bars[name], completed=done, total=total, description=text)
            if not console.is_terminal and done % 100 == 0:
                click.echo(f"{text} ({done} of {total} steps)", err=True)

        found = build(out, list(bars), report)
    _show(found)
    click.echo(f"written to {out}")


@worlds.command()
@click.argument("folder", type=click.Path(path_type=Path), required=False)
def check(folder: Path | None) -> None:
    """Measure the models in FOLDER (the shipped ones by default) and assert their preconditions."""
    from distillgame.models.spec import EMBEDDED
    from distillgame.worlds.build import check as check_models
    from distillgame.worlds.recipes import RECIPES

    _show(check_models(folder or EMBEDDED, list(RECIPES)))


@worlds.command()
@click.argument("traces", type=click.Path(path_type=Path))
@click.option(
    "--share", type=click.FloatRange(0, 1), help="Count apart the facts of a model that was taught this share of them."
)
def facts(traces: Path, share: float | None) -> None:
    """Count the bestiary's private facts that TRACES release: those they state, and those that can be derived.

    Where value and KL were measured, say how well either tells which traces release more facts.
    """
    from distillgame.records import read_released
    from distillgame.worlds.bestiary.creatures import known
    from distillgame.worlds.bestiary.knowledge import BestiaryKnowledge
    from distillgame.worlds.notation import shown_shares
    from distillgame.worlds.predictors import predictors

    given, knowledge = read_released(traces), BestiaryKnowledge()
    completions = [trace.messages[-1]["content"] for trace in given]
    found = knowledge.released(completions)
    click.echo(f"{len(given)} traces release {len(found.derivable)} of {len(knowledge.kinds)} private facts")
    groups: dict[str, Set[str]] = {
        kind: {fact for fact in knowledge.kinds if knowledge.kinds[fact] == kind} for kind in knowledge.by_kind()
    }
    if share is not None:
        groups |= {"taught": known(share) & set(knowledge.kinds), "not taught": set(knowledge.kinds) - known(share)}
    for name, group in groups.items():
        stated, derivable = len(found.stated & group), len(found.derivable & group)
        click.echo(f"{name:<12} stated {stated:>4}  derivable {derivable:>4}  of {len(group)}")
    working, totals = shown_shares(completions)
    click.echo(f"{100 * working:.0f}% of all steps show their working, {100 * totals:.0f}% a running total")
    for name, ranked in predictors(traces, knowledge).items():
        reach = f"{ranked.low:+.2f} to {ranked.high:+.2f}"
        click.echo(f"rank correlation of facts with {name:<5} {ranked.value:+.2f} ({reach})")


def _show(found: dict[str, dict[str, float]]) -> None:
    for name, values in found.items():
        click.echo(f"{name:<16} " + "  ".join(f"{key} {value:.3f}" for key, value in values.items()))
