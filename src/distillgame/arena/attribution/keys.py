"""The keys that are tested, from wherever they are kept."""

from collections.abc import Sequence
from pathlib import Path

from distillgame.attribution import OF_THE_KEY, MarkChoice, OwnerKey, read_keys
from distillgame.errors import DistillgameError
from distillgame.policies import Defense, MarkPolicy
from distillgame.policies.seeds import owner_key

SQLITE = b"SQLite format 3\0"
"""The first bytes of a SQLite file."""


def load_keys(named: str) -> tuple[list[OwnerKey], str | None]:
    """Return keys, and the digest of the ledger if they are from one.

    Args:
        named: A file of keys, a server's SQLite file, or the URL of its ledger.

    Raises:
        DistillgameError: If there is no such file or database, or it holds no keys.
    """
    path = Path(named)
    if path.is_file():
        with path.open("rb") as file:
            is_ledger = file.read(len(SQLITE)) == SQLITE
        return _from_ledger(f"sqlite:///{path}") if is_ledger else (read_keys(path), None)
    if "://" in named:
        return _from_ledger(named)
    raise DistillgameError(f"--keys: {named}: no such file; name a file of keys, or a ledger (sqlite:///FILE)")


def game_keys(defense: Defense, policy: MarkPolicy, owners: Sequence[str]) -> list[OwnerKey]:
    """Return the keys of owners under a game's secret.

    Args:
        defense: The marked defense.
        policy: Its policy, in the epoch of the keys.
        owners: The owners.
    """
    options = {name: value for name, value in defense.options.items() if name not in OF_THE_KEY}
    mark, secret = MarkChoice(name=defense.name, options=options), policy.secret.encode()
    return [
        OwnerKey(owner=owner, epoch=policy.epoch, key=owner_key(secret, owner, policy.epoch).hex(), mark=mark)
        for owner in owners
    ]


def _from_ledger(url: str) -> tuple[list[OwnerKey], str]:
    # SQLAlchemy would delay the start of everything else.
    from distillgame.gateway.ledger import ledger_digest, marked_owners, open_database, reading

    with reading(open_database(url, create=False)) as connection:
        owners, digest = marked_owners(connection), ledger_digest(connection)
    if not owners:
        raise DistillgameError(f"--keys: {url}: nothing that this ledger knows of was marked")
    keys = [
        OwnerKey(
            owner=each.owner,
            epoch=each.epoch,
            key=each.key.hex(),
            mark=MarkChoice(name=each.mark.name, options=each.mark.options),
            tokens=each.tokens,
        )
        for each in owners
    ]
    return keys, digest
