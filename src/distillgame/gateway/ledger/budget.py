"""The daily budget of an owner, and the balance that it limits."""

from typing import Any

from pydantic import Field
from sqlalchemy import Connection, select

from distillgame.errors import DistillgameError
from distillgame.gateway.ledger.charge import NOTHING, Charge
from distillgame.gateway.ledger.database import add
from distillgame.gateway.ledger.tables import balances
from distillgame.strict import Strict

REFUSE = "refuse"
"""Value of :attr:`Budget.beyond` with which nothing is served past the budget."""


class Budget(Strict):
    """The most that all keys of an owner together may leak per day (UTC).

    Attributes:
        kl_per_day: Sum over steps of KL(pi_rel‖pi_ref), in nats.
        value_per_day: Sum over tokens of max(v, 0), in nats.
        tokens_per_day: Released tokens.
        beyond: ``refuse``, or the policy that is served past the budget.
    """

    kl_per_day: float | None = Field(None, gt=0)
    value_per_day: float | None = Field(None, gt=0)
    tokens_per_day: int | None = Field(None, ge=1)
    beyond: str = REFUSE

    @property
    def is_measured(self) -> bool:
        """True if it limits KL or value, which only a distillgame engine measures."""
        return self.kl_per_day is not None or self.value_per_day is not None

    @property
    def fallback(self) -> str | None:
        """The policy that is served past the budget; None if requests are then refused."""
        return None if self.beyond == REFUSE else self.beyond


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
