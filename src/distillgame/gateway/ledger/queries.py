"""Queries of the ledger: leakage per key, owner, tier or policy, and over time."""

import time
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, func, select

from distillgame.gateway.ledger.charge import Charge
from distillgame.gateway.ledger.days import day_of
from distillgame.gateway.ledger.tables import balances, entries, marks, refusals

GroupBy = Literal["key", "owner", "tier", "policy"]
"""The column over which the ledger is summed."""


@dataclass(frozen=True)
class Account:
    """The sums of one key, owner, tier or policy.

    Attributes:
        name: The key, owner, tier or policy.
        owner: The owner of the key.
        requests: Number of requests.
        open: Requests with an open lease: they are still running or a crash interrupted them. They count as spent.
        prompt_tokens: Tokens of the prompts.
        tokens: Released tokens.
        kl: KL(pi_rel‖pi_ref) spent, in nats; None if no request was measured.
        value: Sum of max(v, 0) released, in nats; None if no request was measured.
        unmeasured: Requests without a measured KL or value, which the sums leave out.
        unvalued: Tokens without a value.
        last: Time of the latest request, seconds since 1970.
        marked: Released tokens of requests whose completions carry a mark.
    """

    name: str
    owner: str
    requests: int
    open: int
    prompt_tokens: int
    tokens: int
    kl: float | None
    value: float | None
    unmeasured: int
    unvalued: int
    last: float
    marked: int


def accounts(connection: Connection, by: GroupBy, since: float = 0.0, owner: str | None = None) -> list[Account]:
    """Return the sums of the ledger, the largest value first.

    Args:
        connection: The database.
        by: The column over which requests are summed.
        since: Time of the first request that counts, seconds since 1970.
        owner: Count only this owner's requests.
    """
    column = entries.c[by]
    unmeasured = entries.c.kl.is_(None) | entries.c.value.is_(None)
    query = (
        select(
            column,
            func.min(entries.c.owner),
            func.count(),
            func.count().filter(entries.c.outcome == "open"),
            func.sum(entries.c.prompt_tokens),
            func.sum(entries.c.tokens),
            func.sum(entries.c.kl),
            func.sum(entries.c.value),
            func.count().filter(unmeasured),
            func.sum(entries.c.unvalued),
            func.max(entries.c.opened),
            func.coalesce(func.sum(entries.c.tokens).filter(marks.c.entry.is_not(None)), 0),
        )
        .outerjoin(marks, marks.c.entry == entries.c.id)
        .where(entries.c.opened >= since)
        .group_by(column)
    )
    if owner is not None:
        query = query.where(entries.c.owner == owner)
    found = []
    for name, whose, requests, open_, prompts, tokens, kl, value, missing, unvalued, last, marked in connection.execute(
        query
    ):
        # PostgreSQL sums integers to decimals.
        counts = (int(prompts), int(tokens))
        found.append(
            Account(name, whose, requests, open_, *counts, kl, value, missing, int(unvalued), last, int(marked))
        )
    return sorted(found, key=lambda account: (-(account.value or 0.0), -account.tokens, account.name))


@dataclass(frozen=True)
class Interval:
    """The sums of one key, owner, tier or policy in one interval of time.

    Attributes:
        name: The key, owner, tier or policy.
        start: Start of the interval, seconds since 1970.
        tokens: Released tokens.
        kl: KL spent, in nats.
        value: Value released, in nats.
    """

    name: str
    start: float
    tokens: int
    kl: float
    value: float


def history(
    connection: Connection, by: GroupBy, since: float, seconds: float, owner: str | None = None
) -> list[Interval]:
    """Return the sums of the ledger per interval of ``seconds``, in the order of time."""
    start = func.floor(entries.c.opened / seconds)
    query = (
        select(
            entries.c[by], start.label("start"), func.sum(entries.c.tokens),
            func.coalesce(func.sum(entries.c.kl), 0.0), func.coalesce(func.sum(entries.c.value), 0.0),
        )
        .where(entries.c.opened >= since)
        .group_by(entries.c[by], "start")
        .order_by("start", entries.c[by])
    )  # fmt: skip
    if owner is not None:
        query = query.where(entries.c.owner == owner)
    return [
        Interval(name, float(place) * seconds, int(tokens), kl, value)
        for name, place, tokens, kl, value in connection.execute(query)
    ]


def refused(connection: Connection, days: int = 1) -> dict[str, dict[str, int]]:
    """Count the refusals of the last days, per key and reason."""
    first = day_of(time.time() - (days - 1) * 86_400)
    query = (
        select(refusals.c.key, refusals.c.reason, func.sum(refusals.c.count))
        .where(refusals.c.day >= first)
        .group_by(refusals.c.key, refusals.c.reason)
    )
    found: dict[str, dict[str, int]] = {}
    for key, reason, count in connection.execute(query):
        found.setdefault(key, {})[reason] = int(count)
    return found


def spent_on(connection: Connection, day: str) -> dict[str, Charge]:
    """Return the charge of a UTC day per owner, including open leases."""
    query = select(balances).where(balances.c.day == day)
    return {row.owner: Charge(row.tokens, row.kl, row.value) for row in connection.execute(query)}


def first_request(connection: Connection, since: float) -> float | None:
    """Return the time of the first request since a time (seconds since 1970), or None if there is none."""
    first: float | None = connection.scalar(select(func.min(entries.c.opened)).where(entries.c.opened >= since))
    return first
