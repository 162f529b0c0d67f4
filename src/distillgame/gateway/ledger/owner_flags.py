"""Flags that the campaign monitor has set on owners."""

import time

from sqlalchemy import Connection, delete, select

from distillgame.errors import DistillgameError
from distillgame.gateway.ledger.database import insert_new
from distillgame.gateway.ledger.tables import flags


def set_flag(connection: Connection, owner: str, statistic: float, threshold: float) -> None:
    """Flag an owner, or update the statistic of one who is flagged already.

    Args:
        connection: The database.
        owner: The owner.
        statistic: The monitor's statistic of the latest window.
        threshold: The threshold that it exceeded.
    """
    values = {"flagged": time.time(), "statistic": statistic, "threshold": threshold}
    statement = insert_new(connection, flags).values(owner=owner, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=[flags.c.owner], set_=values))


def clear_flag(connection: Connection, owner: str) -> None:
    """Remove an owner's flag.

    Raises:
        DistillgameError: If the owner is not flagged.
    """
    if connection.execute(delete(flags).where(flags.c.owner == owner)).rowcount == 0:
        raise DistillgameError(f"owner '{owner}': not flagged")


def flagged_owners(connection: Connection) -> frozenset[str]:
    """Return the names of all flagged owners."""
    return frozenset(connection.scalars(select(flags.c.owner)))
