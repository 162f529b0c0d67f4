"""The location of the ledger, read from a server's configuration without requiring that it can be served."""

from dataclasses import dataclass
from pathlib import Path

from distillgame.documents import CONFIGS, find_document, read_document
from distillgame.errors import DistillgameError

SHIPPED = CONFIGS / "serve"
"""Folder of the server configurations that come with the package."""

DEFAULT_LEDGER = "sqlite:///distillgame.db"
"""Database of keys and ledger, unless the owner names another."""


@dataclass(frozen=True)
class LedgerLocation:
    """The ledger that belongs to a configuration.

    Attributes:
        url: The database URL.
        tiers: Names of the configuration's tiers.
    """

    url: str
    tiers: tuple[str, ...]


def find_config(source: str | Path | None) -> Path:
    """Return the path of a server's configuration.

    Args:
        source: A YAML file, the name of a shipped configuration, or None for the embedded pair's.

    Raises:
        DistillgameError: If there is no such file.
    """
    return SHIPPED / "embedded.yaml" if source is None else find_document(source, SHIPPED)


def find_ledger(source: str | None, url: str | None) -> LedgerLocation:
    """Look up the ledger of a configuration.

    Args:
        source: A YAML file, the name of a shipped configuration, or None for the embedded pair's.
        url: A database URL that takes precedence over the configuration's.

    Raises:
        DistillgameError: If there is no such file or it has no tiers.
    """
    path = find_config(source)
    data = read_document(path)
    tiers = data.get("tiers")
    if not isinstance(tiers, dict):
        raise DistillgameError(f"{path}: 'tiers': a mapping of names to tiers")
    return LedgerLocation(url or str(data.get("ledger") or DEFAULT_LEDGER), tuple(map(str, tiers)))
