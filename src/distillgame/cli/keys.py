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
from distillgame.gateway.access.flagged import clear_flag
from distillgame.gateway.ledger.database import open_database
from distillgame.gateway.ledger.keys import create_key, list_keys, revoke_key
from distillgame.gateway.ledger.location import Books
from distillgame.gateway.ledger.queries import flagged_owners

T = TypeVar("T")


@click.group()
def keys() -> None:
    """API keys of `distillgame serve`, stored as digests."""


@keys.command()
@click.option("--owner", required=True, help="Whose key it is: budgets add up over an owner's keys.")
@click.option("--tier", help="What it is served: a tier of the configuration.")
@click.option("--admin", is_flag=True, help="A key for the dashboard and the metrics instead.")
@ledger_options
def create(owner: str, tier: str | None, admin: bool, books: Books) -> None:
    """Make a key and print it: it is shown this once."""
    if (tier is None) != admin:
        raise DistillgameError("name a --tier, or --admin, and not both")
    if tier is not None and tier not in books.tiers:
        raise DistillgameError(f"tier '{tier}': unknown; choose one of {', '.join(books.tiers)}")
    click.echo(_do(books, lambda connection: create_key(connection, owner, tier), create=True))
    click.echo("keep it: only its digest is stored", err=True)


@keys.command("list")
@ledger_options
def show(books: Books) -> None:
    """List all keys, never whole."""
    found, flagged = _do(books, lambda connection: (list_keys(connection), flagged_owners(connection)))
    table = Table("key", "owner", "tier", "created", "state", box=None)
    for key in found:
        state = "revoked" if key.revoked is not None else "flagged" if key.owner in flagged else "active"
        created = time.strftime("%Y-%m-%d %H:%M", time.gmtime(key.created))
        table.add_row(key.id, key.owner, "(admin)" if key.admin else key.tier, created, state)
    Console().print(table)


@keys.command()
@click.argument("key")
@ledger_options
def revoke(key: str, books: Books) -> None:
    """Revoke KEY, given by its id or whole; running servers notice within two seconds."""
    found = _do(books, lambda connection: revoke_key(connection, key))
    click.echo(f"{found.id} of {found.owner} is revoked")


@keys.command()
@click.argument("owner")
@ledger_options
def unflag(owner: str, books: Books) -> None:
    """Take away the campaign monitor's flag from OWNER."""
    _do(books, lambda connection: clear_flag(connection, owner))
    click.echo(f"{owner} is not flagged any more")


def _do(books: Books, change: Callable[[Connection], T], create: bool = False) -> T:
    engine = open_database(books.ledger, create)
    with engine.begin() as connection:
        return change(connection)
