"""The tables of keys and ledger, the same in SQLite and PostgreSQL. Times are seconds since 1970, days are UTC."""

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, MetaData, String, Table

SCHEMA = 1
"""Version of the tables."""

metadata = MetaData()

facts = Table(
    "facts",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", String(256), nullable=False),
)
"""The version of the tables, the secret that keys random streams, and the one from which keys of marks follow."""

keys = Table(
    "keys",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("owner", String(128), nullable=False, index=True),
    Column("tier", String(64)),
    Column("admin", Boolean, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("created", Float, nullable=False),
    Column("revoked", Float),
)
"""API keys; ``digest`` is the SHA-256 of the whole key, which is not stored. An admin key has no tier."""

entries = Table(
    "entries",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("request", String(64), nullable=False),
    Column("key", String(32), nullable=False),
    Column("owner", String(128), nullable=False),
    Column("tier", String(64), nullable=False),
    Column("policy", String(64), nullable=False),
    Column("strength", String(256), nullable=False),
    Column("day", String(10), nullable=False),
    Column("opened", Float, nullable=False),
    Column("settled", Float),
    Column("outcome", String(16), nullable=False),
    Column("prompt_tokens", Integer, nullable=False),
    Column("tokens", BigInteger, nullable=False),
    Column("kl", Float),
    Column("value", Float),
    Column("unvalued", Integer, nullable=False),
    Index("entries_by_time", "opened"),
    Index("entries_by_owner", "owner", "opened"),
)
"""One row per request. While ``outcome`` is ``open``, tokens, kl and value are the lease, which covers all that was
sent; after settlement they are what was released. ``kl`` and ``value`` are null if they were not measured; ``unvalued``
counts tokens that no proxy shares."""

marks = Table(
    "marks",
    metadata,
    Column("entry", String(32), primary_key=True),
    Column("mark", String(256), nullable=False),
    Column("epoch", Integer, nullable=False),
)
"""The entries whose completions carry a mark: all of their tokens, under the owner's key of that epoch. ``mark`` is the
mark's name with all its options, as canonical JSON. A row is committed with its lease, and so before any token leaves.
"""

balances = Table(
    "balances",
    metadata,
    Column("owner", String(128), primary_key=True),
    Column("day", String(10), primary_key=True),
    Column("tokens", BigInteger, nullable=False),
    Column("kl", Float, nullable=False),
    Column("value", Float, nullable=False),
)
"""Sums of the entries per owner and day, including open leases."""

refusals = Table(
    "refusals",
    metadata,
    Column("key", String(32), primary_key=True),
    Column("day", String(10), primary_key=True),
    Column("reason", String(64), primary_key=True),
    Column("count", BigInteger, nullable=False),
)
"""Refused requests; the key is empty if the request had none that is known."""

flags = Table(
    "flags",
    metadata,
    Column("owner", String(128), primary_key=True),
    Column("flagged", Float, nullable=False),
    Column("statistic", Float, nullable=False),
    Column("threshold", Float, nullable=False),
)
"""Owners whom the campaign monitor has flagged, with its latest statistic."""
