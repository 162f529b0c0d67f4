"""Leases: committed before anything is sent, and settled with what was released."""

import asyncio
import time
from concurrent.futures import Future
from dataclasses import dataclass

from sqlalchemy import Connection, select, update

from distillgame.gateway.ids import unique_id
from distillgame.gateway.ledger.budget import REFUSE, Budget, OverBudgetError, amounts, difference, spend
from distillgame.gateway.ledger.charge import NOTHING, Charge
from distillgame.gateway.ledger.days import day_of
from distillgame.gateway.ledger.lease_sizes import LeaseSizes
from distillgame.gateway.ledger.marks import EntryMark
from distillgame.gateway.ledger.tables import entries, marks
from distillgame.gateway.ledger.writer import Writer


@dataclass(frozen=True)
class Offer:
    """A policy under which a request may be served.

    Attributes:
        policy: Its name.
        strength: Its label, for the ledger.
        lease: The first lease.
        budget: The budget that has to cover the owner's day; None if there is no limit.
        mark: The mark that its completions carry; None if they carry none.
    """

    policy: str
    strength: str
    lease: Charge
    budget: Budget | None
    mark: EntryMark | None = None


@dataclass(frozen=True)
class Party:
    """The receiver of a release.

    Attributes:
        key: The key's id.
        owner: Its owner.
        tier: Its tier.
    """

    key: str
    owner: str
    tier: str


class Lease:
    """The account of one request, which covers everything before it is sent.

    Args:
        writer: Writes to the database.
        sizes: Learns what the tokens of this request cost.
        entry: The entry's id.
        party: The receiver.
        offer: The granted offer.
        day: The day in whose balance the request counts.
        leased: The first lease.

    Attributes:
        offer: The granted offer.
        released: The charge of everything that was sent.
        prompt_tokens: Tokens of the prompts.
        sampled: Tokens that were sampled, sent or not.
    """

    def __init__(
        self, writer: Writer, sizes: LeaseSizes, entry: str, party: Party, offer: Offer, day: str, leased: Charge
    ):
        self.offer = offer
        self.released = NOTHING
        self.prompt_tokens = self.sampled = 0
        self._writer, self._sizes, self._entry, self._party, self._day = writer, sizes, entry, party, day
        self._leased = leased
        self._open = True

    async def cover(self, more: Charge) -> None:
        """Account for a charge before it is sent, and extend the lease if necessary.

        Raises:
            OverBudgetError: If neither the lease nor the budget covers it.
        """
        needed = self.released + more
        if not needed.within(self._leased):
            try:
                await self._extend(needed + self.offer.lease)
            except OverBudgetError:
                await self._extend(needed)
        self.released = needed

    def nothing_left(self) -> None:
        """Note that nothing of what was covered was sent."""
        self.released = NOTHING

    def settle(self, outcome: str) -> None:
        """Replace the lease by what was released; do nothing if that has been done.

        Returns at once. The settlement is tried again while the database cannot be reached. If it is never committed,
        the lease stands.
        """
        if self._open:
            self._open = False
            self._writer.insist(lambda connection: self._settle(connection, outcome))
            self._sizes.learn(self._party.owner, self.offer.policy, self.released)

    async def _extend(self, wanted: Charge) -> None:
        budget = self.offer.budget
        # If a stronger policy is served past the budget, a request that has begun is finished; otherwise it is cut.
        hard = budget if budget is not None and budget.beyond == REFUSE else None

        def change(connection: Connection) -> None:
            more = difference(wanted, self._standing(connection))
            spend(connection, self._party.owner, self._day, more, hard)
            connection.execute(update(entries).where(entries.c.id == self._entry).values(**amounts(wanted)))

        await self._writer.write(change)
        self._leased = wanted

    def _standing(self, connection: Connection) -> Charge:
        """Read the lease from the database: an extension may have been committed after its request was cancelled."""
        columns = (entries.c.tokens, entries.c.kl, entries.c.value)
        return Charge(*connection.execute(select(*columns).where(entries.c.id == self._entry)).one())

    def _settle(self, connection: Connection, outcome: str) -> None:
        released = self.released
        more = difference(released, self._standing(connection))
        spend(connection, self._party.owner, self._day, more, None)
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
        writer: Writes to the database.
    """

    def __init__(self, writer: Writer):
        self._writer = writer
        self._sizes = LeaseSizes()

    def offer(
        self,
        owner: str,
        policy: str,
        strength: str,
        lengths: list[int],
        budget: Budget | None,
        mark: EntryMark | None = None,
    ) -> Offer:
        """Return an offer whose first lease is what such a request is expected to cost.

        Args:
            owner: The owner of the key.
            policy: The policy's name.
            strength: Its label.
            lengths: Most tokens of each completion.
            budget: The budget that has to cover it.
            mark: The mark that its completions carry.
        """
        return Offer(policy, strength, self._sizes.first(owner, policy, lengths), budget, mark)

    async def open(self, party: Party, request: str, offers: list[Offer]) -> Lease:
        """Open a lease under the first of ``offers`` that the owner's day still covers.

        Args:
            party: The receiver.
            request: The request's id.
            offers: Offers in the order of preference.

        Raises:
            OverBudgetError: If the day covers none of them.
        """
        future = self._writer.submit(lambda connection: self._open(connection, party, request, offers))
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
            entry = unique_id()
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
                    **amounts(granted),
                )
            )
            if offer.mark is not None:
                connection.execute(marks.insert().values(entry=entry, mark=offer.mark.text, epoch=offer.mark.epoch))
            return Lease(self._writer, self._sizes, entry, party, offer, day, granted)
        raise OverBudgetError(f"the leakage budget of the day is spent for owner '{party.owner}'")


def _granted(connection: Connection, owner: str, day: str, offer: Offer) -> Charge | None:
    """Return the first lease of an offer, an empty lease if little is left, or None if nothing is left.

    An empty lease has to be extended before anything is sent (:meth:`Lease.cover`).
    """
    for lease in (offer.lease, NOTHING):
        try:
            spend(connection, owner, day, lease, offer.budget)
        except OverBudgetError:
            continue
        return lease
    return None


def _give_back(future: "Future[Lease]") -> None:
    """Settle a lease whose request was cancelled before the lease was granted."""
    if not future.cancelled() and future.exception() is None:
        future.result().settle("cancelled")
