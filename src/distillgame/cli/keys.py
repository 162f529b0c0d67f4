"""``distillgame keys``."""

import time
from collections.abc import Callable
from typing import TypeVar

import click
from rich.console import Console
from rich.table import Table
from sqlalchemy import Connection

from distillgame.cli.options import ledger_options
from distillgame.errors import DistillgameError
from distillgame.gateway.ledger import (
    LedgerLocation,
    clear_flag,
    create_key,
    flagged_owners,
    list_keys,
    open_database,
    revoke_key,
)

T = TypeVar("T")


@click.group()
def keys() -> None:
    """API keys of `distillgame serve`, stored as digests."""


@keys.command()
@click.option("--owner", required=True, help="Its owner: the keys of an owner share a budget.")
@click.option("--tier", help="Its tier, one of the configuration's.")
@click.option("--admin", is_flag=True, help="Make a key for the dashboard and the metrics instead.")
@ledger_options
def create(owner: str, tier: str | None, admin: bool, location: LedgerLocation) -> None:
    """Create a key and print it: it is shown only once."""
    if (tier is None) != admin:
        raise DistillgameError("name a --tier, or --admin, and not both")
    if tier is not None and tier not in location.tiers:
        raise DistillgameError(f"tier '{tier}': unknown; choose one of {', '.join(location.tiers)}")
    click.echo(_do(location, lambda connection: create_key(connection, owner, tier), create=True))
    click.echo("keep it: only its digest is stored", err=True)


@keys.command("list")
@ledger_options
def show(location: LedgerLocation) -> None:
    """List all keys by their ids."""
    found, flagged = _do(location, lambda connection: (list_keys(connection), flagged_owners(connection)))
    table = Table("key", "owner", "tier", "created", "state", box=None)
    for key in found:
        state = "revoked" if key.revoked is not None else "flagged" if key.owner in flagged else "active"
        created = time.strftime("%Y-%m-%d %H:%M", time.gmtime(key.created))
        table.add_row(key.id, key.owner, "(admin)" if key.admin else key.tier, created, state)
    Console().print(table)


@keys.command()
@click.argument("key")
@ledger_options
def revoke(key: str, location: LedgerLocation) -> None:
    """Revoke KEY, given by its id or in full; running servers notice within two seconds."""
    found = _do(location, lambda connection: revoke_key(connection, key))
    click.echo(f"{found.id} of {found.owner} is revoked")


@keys.command()
@click.argument("owner")
@ledger_options
def unflag(owner: str, location: LedgerLocation) -> None:
    """Remove the campaign monitor's flag from OWNER."""
    _do(location, lambda connection: clear_flag(connection, owner))
    click.echo(f"{owner} is not flagged any more")


def _do(location: LedgerLocation, change: Callable[[Connection], T], create: bool = False) -> T:
    engine = open_database(location.url, create)
    with engine.begin() as connection:
        return change(connection)
