"""Marks in the ledger: whose completions carry which mark under which key."""

import hashlib
import hmac
import json
from dataclasses import dataclass, field

from sqlalchemy import Connection, func, select

from distillgame.choices import NamedChoice
from distillgame.gateway.ledger.database import find_mark_secret
from distillgame.gateway.ledger.queries import GroupBy
from distillgame.gateway.ledger.tables import entries, marks


@dataclass(frozen=True)
class EntryMark:
    """The mark of one request's completions.

    Attributes:
        text: The mark's name with all its options, as :func:`mark_text` writes them.
        epoch: The epoch of the owner's key.
    """

    text: str
    epoch: int


@dataclass(frozen=True)
class MarkedTokens:
    """The tokens that an owner was released under one mark in one epoch.

    Attributes:
        owner: The owner.
        mark: The mark, with all its options.
        epoch: The epoch of the owner's key.
        tokens: Tokens of the completions that carry it; open leases count in full.
        first: UTC day of the first of these requests.
        last: UTC day of the last one.
    """

    owner: str
    mark: NamedChoice
    epoch: int
    tokens: int
    first: str
    last: str


@dataclass(frozen=True)
class MarkedOwner:
    """An owner whose completions were marked, with the key that recognises the mark.

    Attributes:
        owner: The owner.
        mark: The mark, with all its options.
        epoch: The epoch of the key.
        key: The owner's key under this mark in this epoch, 32 bytes.
        tokens: Tokens of the completions that carry it; open leases count in full.
    """

    owner: str
    mark: NamedChoice
    epoch: int
    key: bytes = field(repr=False)
    tokens: int


def mark_text(mark: NamedChoice) -> str:
    """Return a mark as the ledger writes it: canonical JSON, the same for equal names and options."""
    return json.dumps({"name": mark.name, "options": mark.options}, sort_keys=True, separators=(",", ":"))


def mark_key(secret: bytes, mark: str, owner: str, epoch: int) -> bytes:
    """Return the key of an owner's marks, 32 bytes, which is independent of every other mark's, owner's and epoch's.

    Args:
        secret: The database's secret of marks.
        mark: The mark, as :func:`mark_text` writes it.
        owner: The owner of the API key.
        epoch: The epoch.
    """
    # Needs PyTorch, without which the commands of keys and ledger start at once.
    from distillgame.policies.seeds import owner_key

    # The same numbers under two marks would make a test for one of them depend on the other.
    return owner_key(hmac.digest(secret, mark.encode(), hashlib.sha256), owner, epoch)


def marked_by(
    connection: Connection, by: GroupBy, since: float = 0.0, owner: str | None = None
) -> dict[str, list[MarkedTokens]]:
    """Return the marked tokens of each key, owner, tier or policy, as far as there are any, by its name.

    Each list is split by owner, mark and epoch, in this order, and adds up to :attr:`.Account.marked`.

    Args:
        connection: The database.
        by: The column over which requests are summed.
        since: Time of the first request that counts, seconds since 1970.
        owner: Count only this owner's requests.
    """
    named = (entries.c[by].label("account"), entries.c.owner, marks.c.mark, marks.c.epoch)
    tokens = func.sum(entries.c.tokens)
    query = (
        select(*named, tokens, func.min(entries.c.day), func.max(entries.c.day))
        .join(marks, marks.c.entry == entries.c.id)
        .where(entries.c.opened >= since)
        .group_by(*named)
        .having(tokens > 0)
    )
    if owner is not None:
        query = query.where(entries.c.owner == owner)
    found: dict[str, list[MarkedTokens]] = {}
    # Databases sort texts in different ways.
    for name, whose, text, epoch, count, first, last in sorted(tuple(row) for row in connection.execute(query)):
        mark = NamedChoice.model_validate(json.loads(text))
        found.setdefault(name, []).append(MarkedTokens(whose, mark, epoch, int(count), first, last))
    return found


def marked_tokens(connection: Connection, since: float = 0.0, owner: str | None = None) -> list[MarkedTokens]:
    """Return the marked tokens per owner, mark and epoch, in this order, as far as there are any.

    Args:
        connection: The database.
        since: Time of the first request that counts, seconds since 1970.
        owner: Count only this owner's requests.
    """
    return [one for found in marked_by(connection, "owner", since, owner).values() for one in found]


def marked_owners(connection: Connection) -> list[MarkedOwner]:
    """Return every owner, mark and epoch under which tokens were released, with the key that recognises them.

    Only reads. Keys are secrets: whoever has one can forge its marks, and recognise and remove them.

    Args:
        connection: The database, as :func:`.open_database` opens it, of a running server or not.

    Raises:
        DistillgameError: If tokens were marked but the database lacks the secret of their keys.
    """
    found = marked_tokens(connection)
    secret = find_mark_secret(connection) if found else b""
    return [
        MarkedOwner(one.owner, one.mark, one.epoch, mark_key(secret, mark_text(one.mark), one.owner, one.epoch),
                    one.tokens)
        for one in found
    ]  # fmt: skip


def ledger_digest(connection: Connection) -> str:
    """Return the SHA-256 of the ledger's marked entries, as 64 hexadecimal digits.

    It is taken over one line of JSON per entry, in the order of their ids: id, request, owner, day, outcome, tokens,
    mark and epoch. Neither keys nor secrets enter it. An entry that is settled or added changes it.

    Args:
        connection: The database.
    """
    columns = ("id", "request", "owner", "day", "outcome", "tokens")
    query = (
        select(*(entries.c[name] for name in columns), marks.c.mark, marks.c.epoch)
        .join(marks, marks.c.entry == entries.c.id)
        .order_by(entries.c.id)
    )
    digest = hashlib.sha256()
    for row in connection.execute(query):
        digest.update(json.dumps(list(row), ensure_ascii=True).encode() + b"\n")
    return digest.hexdigest()
