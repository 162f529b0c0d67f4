"""The ledger: leases that are committed before anything is sent, and settled with what was released."""

import asyncio
import time
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select, update

from distillgame.errors import DistillgameError
from distillgame.gateway.config.tiers import REFUSE, Budget
from distillgame.gateway.ids import unique
from distillgame.gateway.ledger.charge import NOTHING, Charge
from distillgame.gateway.ledger.database import Writer, add
from distillgame.gateway.ledger.days import day_of
from distillgame.gateway.ledger.tables import balances, entries

LEASE_TOKENS = 64
"""Tokens by which a lease exceeds what is known to be needed."""


class OverBudgetError(DistillgameError):
    """An owner's budget for the day does not cover a lease."""


@dataclass(frozen=True)
class Offer:
    """A policy under which a request may be served, best first.

    Attributes:
        policy: Its name.
        strength: Its label, for the ledger.
        lease: What is leased at first.
        budget: What the owner's day may come to; None where it does not matter any more.
    """

    policy: str
    strength: str
    lease: Charge
    budget: Budget | None


@dataclass(frozen=True)
class Party:
    """Who is served.

    Attributes:
        key: The key's id.
        owner: Its owner.
        tier: Its tier.
    """

    key: str
    owner: str
    tier: str


class Lease:
    """One request's account. What is sent must have been covered before.

    Args:
        writer: The database.
        entry: The entry's id.
        party: Who is served.
        offer: What was granted.
        day: The day whose balance it counts in.
        leased: What is leased so far.

    Attributes:
        offer: What was granted.
        released: What was sent.
        prompt_tokens: Tokens that were read.
        sampled: Tokens that were sampled, sent or not.
    """

    def __init__(self, writer: Writer, entry: str, party: Party, offer: Offer, day: str, leased: Charge):
        self.offer = offer
        self.released = NOTHING
        self.prompt_tokens = self.sampled = 0
        self._writer, self._entry, self._party, self._day = writer, entry, party, day
        self._leased = leased
        self._open = True

    async def cover(self, more: Charge) -> None:
        """Account for something before it is sent.

        Raises:
            OverBudgetError: If the lease does not cover it and the budget no longer one.
        """
        needed = self.released + more
        if not needed.within(self._leased):
            try:
                await self._extend(needed + self.offer.lease)
            except OverBudgetError:
                await self._extend(needed)
        self.released = needed

    def nothing_left(self) -> None:
        """What was covered was not sent after all."""
        self.released = NOTHING

    def settle(self, outcome: str) -> None:
        """Replace what was leased by what was released; does nothing the second time.

        It returns at once, and is tried again while the database is away. If it is never committed, the lease stands.
        """
        if self._open:
            self._open = False
            self._writer.insist(lambda connection: self._settle(connection, outcome))

    async def _extend(self, wanted: Charge) -> None:
        budget = self.offer.budget
        # Where a stronger policy follows, what has been begun is finished; where nothing does, it is cut.
        hard = budget if budget is not None and budget.beyond == REFUSE else None

        def change(connection: Connection) -> None:
            more = _difference(wanted, self._standing(connection))
            _take(connection, self._party.owner, self._day, more, hard)
            connection.execute(update(entries).where(entries.c.id == self._entry).values(**_amounts(wanted)))

        await self._writer.write(change)
        self._leased = wanted

    def _standing(self, connection: Connection) -> Charge:
        """What is leased: a change that nobody waited for any more may have been made."""
        columns = (entries.c.tokens, entries.c.kl, entries.c.value)
        return Charge(*connection.execute(select(*columns).where(entries.c.id == self._entry)).one())

    def _settle(self, connection: Connection, outcome: str) -> None:
        released = self.released
        more = _difference(released, self._standing(connection))
        _take(connection, self._party.owner, self._day, more, None)
        connection.execute(
            update(entries)
            .where(entries.c.id == self._entry)
            .values(
                outcome=outcome,
                settled=time.time(),
                prompt_tokens=self.prompt_tokens,
                tokens=released.tokens,
                kl=released.kl,
                value=released.value,
                unvalued=released.unvalued,
            )
        )


class Ledger:
    """Opens leases.

    Args:
        writer: The database.
    """

    def __init__(self, writer: Writer):
        self.writer = writer

    async def open(self, party: Party, request: str, offers: list[Offer]) -> Lease:
        """Lease under the first of ``offers`` that the owner's day still covers.

        Raises:
            OverBudgetError: If it covers none.
        """
        future = self.writer.submit(lambda connection: self._open(connection, party, request, offers))
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            future.add_done_callback(_give_back)
            raise

    def _open(self, connection: Connection, party: Party, request: str, offers: list[Offer]) -> Lease:
        now = time.time()
        day = day_of(now)
        for offer in offers:
            granted = _granted(connection, party.owner, day, offer)
            if granted is None:
                continue
            entry = unique()
            connection.execute(
                entries.insert().values(
                    id=entry,
                    request=request,
                    key=party.key,
                    owner=party.owner,
                    tier=party.tier,
                    policy=offer.policy,
                    strength=offer.strength,
                    day=day,
                    opened=now,
                    outcome="open",
                    prompt_tokens=0,
                    unvalued=0,
                    **_amounts(granted),
                )
            )
            return Lease(self.writer, entry, party, offer, day, granted)
        raise OverBudgetError(f"the leakage budget of the day is spent for owner '{party.owner}'")


def _granted(connection: Connection, owner: str, day: str, offer: Offer) -> Charge | None:
    """What is leased under an offer: what it asks for, nothing at all where little is left, None where nothing is.

    What nothing was leased for is leased before it is sent (:meth:`Lease.cover`).
    """
    for lease in (offer.lease, NOTHING):
        try:
            _take(connection, owner, day, lease, offer.budget)
        except OverBudgetError:
            continue
        return lease
    return None


def _take(connection: Connection, owner: str, day: str, amount: Charge, budget: Budget | None) -> None:
    """Add to an owner's balance, unless a budget does not cover it."""
    if budget is not None:
        row = connection.execute(select(balances).where(balances.c.owner == owner, balances.c.day == day)).one_or_none()
        spent = Charge() if row is None else Charge(row.tokens, row.kl, row.value)
        after = spent + amount
        limits = [(budget.kl_per_day, after.kl), (budget.value_per_day, after.value)]
        limits.append((budget.tokens_per_day, float(after.tokens)))
        # Nothing more is left at the limit itself, not even for a lease of nothing.
        empty = amount == NOTHING
        if any(
            limit is not None and ((sum_ or 0.0) > limit or (empty and (sum_ or 0.0) >= limit))
            for limit, sum_ in limits
        ):
            raise OverBudgetError(f"the leakage budget of the day is spent for owner '{owner}'")
    add(connection, balances, {"owner": owner, "day": day}, _amounts(amount))


def _amounts(charge: Charge) -> dict[str, Any]:
    return {"tokens": charge.tokens, "kl": charge.kl or 0.0, "value": charge.value or 0.0}


def _give_back(future: "Future[Lease]") -> None:
    """Settle a lease whose request has gone before it was granted."""
    if not future.cancelled() and future.exception() is None:
        future.result().settle("cancelled")


def _difference(a: Charge, b: Charge) -> Charge:
    return Charge(a.tokens - b.tokens, (a.kl or 0.0) - (b.kl or 0.0), (a.value or 0.0) - (b.value or 0.0))
