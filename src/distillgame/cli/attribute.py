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
@click.option("--texts", multiple=True, metavar="[OWNER=]FILE", help="Released texts, an owner's own or anybody's: all "
              "of them, not chosen by their completions [default: texts for held-out prompts].")  # fmt: skip
@click.option("--fresh", is_flag=True, help="Let the teacher answer the prompts of --texts again, without a mark, and "
              "read that: p-values are then exact if no prompt depends on marked text.")  # fmt: skip
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
    fresh: bool,
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

    context = click.get_current_context()
    if game:
        _refuse(context, "--game", {"config", "out", "quick", "overrides"})
        _play(config, out, quick, overrides)
        return
    if check is not None:
        _refuse(context, "--check", set())
        evidence = check_evidence(check)
        count = len(evidence.accused)
        click.echo(
            f"the statistics of {count} {'key' if count == 1 else 'keys'} follow from the stated preferences, and the "
            "verdict from the tests; the preferences themselves take the suspect and the teacher to compute again"
        )
        click.echo(evidence.verdict)
        return
    if quick:
        raise click.UsageError("--quick goes with --game")
    if model is None or keys is None:
        raise click.UsageError("name a MODEL and its --keys, or --check FILE")
    suspect = _suspect(model)
    tested, ledger = load_keys(keys)
    if ledger is not None and config is None:
        raise click.UsageError("--config: keys of a ledger go with the teacher that was served: name a game with it")
    case = Case(suspect, tested, _texts(texts), black_box, fresh, split, alpha, ledger)
    folder = out or Path("runs") / f"attribute-{Path(suspect.name).name}"
    settings = load_config(config, overrides=overrides)
    found = attribute_suspect(case, settings, folder)
    _print(found)
    if found.owners and texts and not fresh and not case.writes:
        click.echo("The key itself marked these texts: let an accusation rest on --fresh, whose p-values are exact.")
    click.echo(f"read against {settings.teacher.name} at temperature {settings.sampling.temperature:g}")
    click.echo(f"written to {folder / 'evidence.json'}")


def _refuse(context: click.Context, option: str, allowed: set[str]) -> None:
    """Refuse options that would be ignored beside another one."""
    own = option.removeprefix("--")
    for parameter in context.command.params:
        name = str(parameter.name)
        given = context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
        if given and name not in allowed | {own}:
            shown = parameter.opts[0] if parameter.opts[0].startswith("-") else name.upper()
            raise click.UsageError(f"{option} leaves nothing for {shown} to say: leave it out")


def _play(config: str | None, out: Path | None, quick: bool, overrides: dict[str, Any]) -> None:
    from distillgame.arena import load_config
    from distillgame.arena.attribution import RESULTS, play_attribution
    from distillgame.arena.config import default_folder
    from distillgame.report.tables import suspect_lines

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
        # A file's name may have the sign, too.
        owner, sign, path = each.partition("=")
        name, path = (owner, path) if sign and not Path(each).exists() else (None, each)
        if not path or name == "":
            raise click.UsageError(f"--texts: '{each}' is not of the form OWNER=FILE")
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
