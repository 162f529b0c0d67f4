"""``distillgame ledger``."""

import dataclasses
import json
import time
from pathlib import Path
from typing import Literal

import click
from rich.console import Console
from rich.table import Table

from distillgame.cli.options import ledger_options
from distillgame.errors import DistillgameError
from distillgame.gateway.accounts import accounts, history, span
from distillgame.gateway.config import ServeConfig
from distillgame.gateway.database import open_database, reading
from distillgame.gateway.plot import plot_history


@click.command()
@click.option("--by", type=click.Choice(["key", "owner", "tier", "policy"]), default="key", show_default=True)
@click.option("--owner", help="This owner's requests alone.")
@click.option("--last", default="30d", show_default=True, help="Span of time, as in 30m, 24h or 7d.")
@click.option("--plot", type=click.Path(path_type=Path), help="Draw leakage a key over time (PNG, SVG or PDF).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@ledger_options
def ledger(
    by: Literal["key", "owner", "tier", "policy"],
    owner: str | None,
    last: str,
    plot: Path | None,
    as_json: bool,
    config: ServeConfig,
) -> None:
    """Print what was released to whom: tokens, KL and value."""
    seconds = span(last)
    since = time.time() - seconds
    engine = open_database(config.ledger, create=False)
    with reading(engine) as connection:
        found = accounts(connection, by, since, owner)
        steps = history(connection, since, max(60.0, seconds / 120), owner) if plot is not None else []
    if plot is not None:
        if not steps:
            raise DistillgameError(f"ledger: nothing was released in the last {last}, so there is nothing to plot")
        plot_history(steps, since, time.time(), plot)
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(account) for account in found], indent=1))
        return
    heads = [by, *(["owner"] if by == "key" else []), "requests", "open", "tokens", "KL", "value"]
    table = Table(*heads, box=None, caption="KL and value in nats; open leases count as spent", caption_justify="left")
    for account in found:
        who = [account.name, *([account.owner] if by == "key" else [])]
        table.add_row(*who, f"{account.requests:,}", f"{account.open:,}", f"{account.tokens:,}",
                      _shown(account.kl), _shown(account.value))  # fmt: skip
    Console().print(table)
    unmeasured = sum(account.unmeasured for account in found)
    if unmeasured:
        click.echo(f"{unmeasured:,} requests have no measured KL or value and are not in these sums", err=True)


def _shown(amount: float | None) -> str:
    return "not measured" if amount is None else f"{amount:,.2f}"
