"""``distillgame attribute``."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table

from distillgame.cli.options import overrides_option, yaml_value

if TYPE_CHECKING:
    from distillgame.records.attribution import Attribution

MOST_ROWS = 20
"""Rows of the table: the surest ones."""


@click.command()
@click.argument("model", required=False)
@click.option("--keys", help="The keys to test: a YAML file, a server's SQLite file, or the URL of its ledger.")
@click.option("--texts", multiple=True, metavar="[OWNER=]FILE", help="Released texts: an owner's own, or anybody's "
              "[default: texts for held-out prompts].")  # fmt: skip
@click.option("--black-box", is_flag=True, help="Use what the model writes, not its weights.")
@click.option("--config", "-c", help="The game that says who the teacher is, and how it is sampled.")
@click.option("--split", default="validation", show_default=True, help="The split of held-out prompts.")
@click.option("--alpha", default=1e-3, show_default=True, help="Level of the corrected p-values.")
@click.option("--out", type=click.Path(path_type=Path), help="The run's folder [default: runs/attribute-NAME].")
@click.option("--game", is_flag=True, help="Play the game of attribution that --config describes instead.")
@click.option("--quick", is_flag=True, help="With --game: apply the configuration's 'quick' section.")
@click.option("--check", type=click.Path(path_type=Path), help="Compute the tests in this evidence again, and stop.")
@overrides_option
def attribute(
    model: str | None,
    keys: str | None,
    texts: tuple[str, ...],
    black_box: bool,
    config: str | None,
    split: str,
    alpha: float,
    out: Path | None,
    game: bool,
    quick: bool,
    check: Path | None,
    overrides: dict[str, Any],
) -> None:
    """Say whose marked text a model was trained on, with a p-value per key.

    MODEL is a model of any source, or '{endpoint: URL, model: NAME}'. The evidence is written to evidence.json, which
    anybody can --check.
    """
    from distillgame.arena import load_config
    from distillgame.arena.attribution import Case, check_evidence, load_keys
    from distillgame.arena.attribution import attribute as attribute_suspect

    if game:
        _play(model or check or keys, config, out, quick, overrides)
        return
    if quick:
        raise click.UsageError("--quick goes with --game")
    if check is not None:
        if model is not None:
            raise click.UsageError("--check needs the evidence alone, no MODEL")
        evidence = check_evidence(check)
        count = len(evidence.accused)
        click.echo(f"{count} {'key' if count == 1 else 'keys'} computed again, all numbers as stated")
        click.echo(evidence.verdict)
        return
    if model is None or keys is None:
        raise click.UsageError("name a MODEL and its --keys, or --check FILE")
    suspect = _suspect(model)
    tested, ledger = load_keys(keys)
    case = Case(suspect, tested, _texts(texts), black_box, split, alpha, ledger)
    folder = out or Path("runs") / f"attribute-{Path(suspect.name).name}"
    found = attribute_suspect(case, load_config(config, overrides=overrides), folder)
    _print(found)
    click.echo(f"written to {folder / 'evidence.json'}")


def _play(more: Any, config: str | None, out: Path | None, quick: bool, overrides: dict[str, Any]) -> None:
    from distillgame.arena import load_config
    from distillgame.arena.attribution import RESULTS, play_attribution
    from distillgame.arena.config import default_folder
    from distillgame.report.tables import suspect_lines

    if more is not None:
        raise click.UsageError("--game makes its suspects itself: leave out MODEL, --keys and --check")
    named = config or "attribution"
    folder = out or default_folder(named, quick)
    results = play_attribution(load_config(named, quick=quick, overrides=overrides), folder)
    click.echo("\n".join(suspect_lines(results)))
    click.echo(f"\nwritten to {folder / RESULTS}")


def _suspect(model: str) -> Any:
    from distillgame.models import Endpoint, ModelSpec
    from distillgame.strict import parse

    data = yaml_value(model, "MODEL") if model.lstrip().startswith("{") else {"source": model}
    return parse(Endpoint if "endpoint" in data else ModelSpec, data, "MODEL")


def _texts(named: tuple[str, ...]) -> dict[str | None, Path]:
    found: dict[str | None, Path] = {}
    for each in named:
        owner, mark, path = each.rpartition("=")
        name = owner if mark else None
        if name in found:
            raise click.UsageError(f"--texts: {'the texts of ' + repr(name) if name else 'a file'} is given twice")
        found[name] = Path(path)
    return found


def _print(found: "Attribution") -> None:
    table = Table(title=f"{len(found.keys)} keys, null of {found.unused_keys} unused ones")
    for title in ("owner", "epoch", "mark", "texts", "contexts", "bits per text", "z", "p", "corrected"):
        table.add_column(title, justify="left" if title in ("owner", "mark") else "right", no_wrap=True)
    rows = sorted(found.keys, key=lambda row: row.p_value)
    for row in rows[:MOST_ROWS]:
        own = f"{row.texts:,} own" if row.own_texts else f"{row.texts:,}"
        table.add_row(row.owner, str(row.epoch), row.mark, own, f"{row.contexts:,}", f"{row.bits_per_text:.2f}",
                      f"{row.z:+.1f}", f"{row.p_value:.2g}", f"{row.corrected:.2g}")  # fmt: skip
    Console(width=None if Console().is_terminal else 140).print(table)
    if len(rows) > MOST_ROWS:
        click.echo(f"{len(rows) - MOST_ROWS} more keys in evidence.json")
    click.echo(found.verdict)
