"""The daily balance of an owner, from which leases are taken within a budget."""

from typing import Any

from sqlalchemy import Connection, select

from distillgame.errors import DistillgameError
from distillgame.gateway.ledger.budget import Budget
from distillgame.gateway.ledger.charge import NOTHING, Charge
from distillgame.gateway.ledger.database import add
from distillgame.gateway.ledger.tables import balances


class OverBudgetError(DistillgameError):
    """An owner's budget for the day does not cover a lease."""


def spend(connection: Connection, owner: str, day: str, amount: Charge, budget: Budget | None) -> None:
    """Add a charge to an owner's balance.

    Args:
        connection: The database.
        owner: The owner.
        day: The UTC day.
        amount: The charge; negative amounts are returned to the balance.
        budget: The budget that has to cover the new balance; None if there is no limit.

    Raises:
        OverBudgetError: If the budget does not cover it.
    """
    if budget is not None:
        row = connection.execute(select(balances).where(balances.c.owner == owner, balances.c.day == day)).one_or_none()
        spent = NOTHING if row is None else Charge(row.tokens, row.kl, row.value)
        after = spent + amount
        limits = [(budget.kl_per_day, after.kl), (budget.value_per_day, after.value)]
        limits.append((budget.tokens_per_day, float(after.tokens)))
        # At the limit itself nothing more is left, not even for an empty lease.
        empty = amount == NOTHING
        if any(
            limit is not None and ((sum_ or 0.0) > limit or (empty and (sum_ or 0.0) >= limit))
            for limit, sum_ in limits
        ):
            raise OverBudgetError(f"the leakage budget of the day is spent for owner '{owner}'")
    add(connection, balances, {"owner": owner, "day": day}, amounts(amount))


def amounts(charge: Charge) -> dict[str, Any]:
    """Return the columns of a charge; what was not measured counts as 0 until the request is settled."""
    return {"tokens": charge.tokens, "kl": charge.kl or 0.0, "value": charge.value or 0.0}


def difference(a: Charge, b: Charge) -> Charge:
    """Return ``a - b``; what was not measured counts as 0."""
    return Charge(a.tokens - b.tokens, (a.kl or 0.0) - (b.kl or 0.0), (a.value or 0.0) - (b.value or 0.0))
