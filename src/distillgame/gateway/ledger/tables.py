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
"""The tables' version, and the secret that random streams are keyed by."""

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
"""API keys; ``digest`` is the SHA-256 of the whole key, which is nowhere stored. An admin key has no tier."""

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
"""One row a request. While ``outcome`` is ``open`` tokens, kl and value are what is leased, which is at least what was
sent; once settled they are what was released. ``kl`` and ``value`` are null where nobody measured them, and
``unvalued`` counts tokens that no proxy shares."""

balances = Table(
    "balances",
    metadata,
    Column("owner", String(128), primary_key=True),
    Column("day", String(10), primary_key=True),
    Column("tokens", BigInteger, nullable=False),
    Column("kl", Float, nullable=False),
    Column("value", Float, nullable=False),
)
"""What the entries of an owner and day sum to, open leases included."""

refusals = Table(
    "refusals",
    metadata,
    Column("key", String(32), primary_key=True),
    Column("day", String(10), primary_key=True),
    Column("reason", String(64), primary_key=True),
    Column("count", BigInteger, nullable=False),
)
"""Requests that were refused; the key is empty where none was known."""

flags = Table(
    "flags",
    metadata,
    Column("owner", String(128), primary_key=True),
    Column("flagged", Float, nullable=False),
    Column("statistic", Float, nullable=False),
    Column("threshold", Float, nullable=False),
)
"""Owners whom the campaign monitor has flagged, with the latest statistic."""
