"""``distillgame ledger``."""

import dataclasses
import json
import time
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from distillgame.cli.options import ledger_options
from distillgame.gateway.ledger import (
    GroupBy,
    LedgerLocation,
    MarkedTokens,
    accounts,
    marked_by,
    marked_tokens,
    open_database,
    parse_span,
    reading,
)
from distillgame.gateway.owner import plot_released


@click.command()
@click.option("--by", type=click.Choice(["key", "owner", "tier", "policy"]), default="key", show_default=True)
@click.option("--owner", help="Count only this owner's requests.")
@click.option("--last", default="30d", show_default=True, help="Span of time, as in 30m, 24h or 7d.")
@click.option("--plot", type=click.Path(path_type=Path), help="Plot what was released over time (PNG, SVG, PDF).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@ledger_options
def ledger(
    by: GroupBy,
    owner: str | None,
    last: str,
    plot: Path | None,
    as_json: bool,
    location: LedgerLocation,
) -> None:
    """Print what was released to whom: tokens, KL and value, and what of it carries which mark."""
    since = time.time() - parse_span(last)
    engine = open_database(location.url, create=False)
    with reading(engine) as connection:
        found = accounts(connection, by, since, owner)
        split = marked_by(connection, by, since, owner)
        marked = marked_tokens(connection, since, owner)
        if plot is not None:
            plot_released(connection, by, since, owner, plot)
    if as_json:
        rows = [dataclasses.asdict(account) | {"marks": _split(split.get(account.name, []))} for account in found]
        click.echo(json.dumps(rows, indent=1))
        return
    heads = [by, *(["owner"] if by == "key" else []), "requests", "open", "tokens", "KL", "value"]
    table = Table(*heads, box=None)
    for account in found:
        who = [account.name, *([account.owner] if by == "key" else [])]
        table.add_row(*who, f"{account.requests:,}", f"{account.open:,}", f"{account.tokens:,}",
                      _shown(account.kl), _shown(account.value))  # fmt: skip
    Console().print(table)
    if marked:
        Console().print(_marks(marked))
    click.echo("KL and value in nats; leases that are open count as spent", err=True)
    unmeasured = sum(account.unmeasured for account in found)
    if unmeasured:
        click.echo(f"of {unmeasured:,} requests KL or value was not measured; the sums leave that out", err=True)


def _split(marked: list[MarkedTokens]) -> list[dict[str, Any]]:
    """Return marked tokens by owner, mark and epoch for JSON; keys are no part of them."""
    return [dataclasses.asdict(one) | {"mark": one.mark.model_dump()} for one in marked]


def _marks(marked: list[MarkedTokens]) -> Table:
    """Return a table of the marked tokens of each owner, by mark and by epoch of the owner's key."""
    table = Table("owner", "mark", "epoch", "first day", "last day", "marked tokens", box=None)
    for one in marked:
        table.add_row(one.owner, one.mark.label, str(one.epoch), one.first, one.last, f"{one.tokens:,}")
    return table


def _shown(amount: float | None) -> str:
    return "not measured" if amount is None else f"{amount:,.2f}"
