"""API keys: shown once, stored as digests, compared in constant time."""

import hashlib
import hmac
import re
import secrets
import time
from dataclasses import dataclass

from sqlalchemy import Connection, select, update

from distillgame.errors import DistillgameError
from distillgame.gateway.ledger.tables import keys

FORM = re.compile(r"dg-([0-9a-f]{12})-[A-Za-z0-9_-]{43}")
"""A key consists of a public id and 256 random bits, which need no slow hash."""

NAME = re.compile(r"[\w.@+-]{1,128}")
"""An acceptable name of an owner."""


@dataclass(frozen=True)
class Key:
    """A key as it is stored.

    Attributes:
        id: Its public part.
        owner: Its owner, whose budget it spends.
        tier: Its tier; None for an admin key.
        admin: Whether it gives access to the dashboard and the metrics, and to nothing else.
        created: Time of creation, seconds since 1970.
        revoked: Time of revocation, or None.
    """

    id: str
    owner: str
    tier: str | None
    admin: bool
    created: float
    revoked: float | None


def create_key(connection: Connection, owner: str, tier: str | None) -> str:
    """Create a key and return it; it cannot be read again later.

    Args:
        connection: The database.
        owner: Its owner.
        tier: Its tier, or None for an admin key.

    Raises:
        DistillgameError: If the owner's name is not acceptable.
    """
    if NAME.fullmatch(owner) is None:
        raise DistillgameError(f"owner '{owner}': letters, digits and . _ @ + - only, at most 128")
    public = secrets.token_hex(6)
    key = f"dg-{public}-{secrets.token_urlsafe(32)}"
    connection.execute(
        keys.insert().values(
            id=public, owner=owner, tier=tier, admin=tier is None, digest=digest_of(key), created=time.time()
        )
    )
    return key


def list_keys(connection: Connection) -> list[Key]:
    """Return all keys, oldest first."""
    return [_key(row) for row in connection.execute(select(keys).order_by(keys.c.created))]


def revoke_key(connection: Connection, name: str) -> Key:
    """Revoke a key, given by its id or in full; its entries stay in the ledger.

    Raises:
        DistillgameError: If there is no such key.
    """
    found = FORM.fullmatch(name)
    public = found.group(1) if found else name
    row = connection.execute(select(keys).where(keys.c.id == public)).one_or_none()
    if row is None:
        raise DistillgameError(f"key '{public}': no such key; `distillgame keys list` shows all")
    if row.revoked is None:
        connection.execute(update(keys).where(keys.c.id == public).values(revoked=time.time()))
    return _key(row)


def find_key(connection: Connection, presented: str) -> Key | None:
    """Return the key that was presented, or None if it is unknown or revoked."""
    found = FORM.fullmatch(presented)
    row = None
    if found is not None:
        row = connection.execute(select(keys).where(keys.c.id == found.group(1))).one_or_none()
    # Compare in any case, so that timing does not reveal which ids exist.
    digest = row.digest if row is not None else digest_of("")
    same = hmac.compare_digest(digest, digest_of(presented))
    return _key(row) if row is not None and same and row.revoked is None else None


def digest_of(key: str) -> str:
    """Return the digest that is stored and compared in place of a key."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def _key(row: object) -> Key:
    return Key(**{name: getattr(row, name) for name in Key.__dataclass_fields__})
