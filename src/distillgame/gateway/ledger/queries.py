"""What the ledger says: leakage by key, owner, tier or policy, and by day or hour."""

import time
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, func, select

from distillgame.gateway.ledger.days import day_of
from distillgame.gateway.ledger.tables import entries, flags, refusals

By = Literal["key", "owner", "tier", "policy"]


@dataclass(frozen=True)
class Account:
    """What was released to somebody.

    Attributes:
        name: Who, or under what.
        owner: The owner, where accounts are by key.
        requests: Number of requests.
        open: Of these, leases that were never settled: they run still, or a crash left them; they count as spent.
        prompt_tokens: Tokens that were read.
        tokens: Tokens that were released.
        kl: KL(pi_rel‖pi_ref) spent, in nats; None where nothing was measured.
        value: Sum of max(v, 0) released, in nats; None where nothing was measured.
        unmeasured: Requests without a measured KL or value, which the sums leave out.
        unvalued: Tokens without a value.
        last: Time of the latest request.
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


def accounts(connection: Connection, by: By, since: float = 0.0, owner: str | None = None) -> list[Account]:
    """Sums of the ledger, the largest value first.

    Args:
        connection: The database.
        by: What is summed over.
        since: Requests from this time on, seconds since 1970.
        owner: This owner's alone.
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
        )
        .where(entries.c.opened >= since)
        .group_by(column)
    )
    if owner is not None:
        query = query.where(entries.c.owner == owner)
    found = []
    for name, whose, requests, open_, prompts, tokens, kl, value, missing, unvalued, last in connection.execute(query):
        # PostgreSQL sums integers to decimals.
        found.append(
            Account(name, whose, requests, open_, int(prompts), int(tokens), kl, value, missing, int(unvalued), last)
        )
    return sorted(found, key=lambda account: (-(account.value or 0.0), -account.tokens, account.name))


@dataclass(frozen=True)
class Step:
    """What was released in one interval to one key, owner or tier, or under one policy.

    Attributes:
        name: To whom, or under what.
        start: When the interval begins, seconds since 1970.
        tokens: Tokens released.
        kl: KL spent.
        value: Value released.
    """

    name: str
    start: float
    tokens: int
    kl: float
    value: float


def history(connection: Connection, by: By, since: float, seconds: float, owner: str | None = None) -> list[Step]:
    """The ledger by interval of ``seconds``, in the order of time."""
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
        Step(name, float(place) * seconds, int(tokens), kl, value)
        for name, place, tokens, kl, value in connection.execute(query)
    ]


def refused(connection: Connection, days: int = 1) -> dict[str, dict[str, int]]:
    """Refusals of the last days, by key and reason."""
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


def flagged_owners(connection: Connection) -> dict[str, tuple[float, float, float]]:
    """Flagged owners, with when, the statistic and the threshold."""
    return {row.owner: (row.flagged, row.statistic, row.threshold) for row in connection.execute(select(flags))}
