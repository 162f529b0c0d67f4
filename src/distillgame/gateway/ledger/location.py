"""Where a configuration keeps keys and ledger: looked up without what it takes to serve it."""

from dataclasses import dataclass

from distillgame.documents import CONFIGS, find_document, read_document
from distillgame.errors import DistillgameError

SHIPPED = CONFIGS / "serve"
"""The folder of the server configurations that come with the package."""

LEDGER = "sqlite:///distillgame.db"
"""Where keys and ledger are unless the owner says otherwise."""


@dataclass(frozen=True)
class Books:
    """Keys and ledger of a configuration.

    Attributes:
        ledger: The database URL.
        tiers: Names of the tiers.
    """

    ledger: str
    tiers: tuple[str, ...]


def open_books(source: str | None, url: str | None) -> Books:
    """Look up a configuration's.

    Args:
        source: A YAML file, the name of a shipped configuration, or None for the embedded pair's.
        url: A database URL in place of its own.

    Raises:
        DistillgameError: If there is no such file or it has no tiers.
    """
    path = SHIPPED / "embedded.yaml" if source is None else find_document(source, SHIPPED)
    data = read_document(path)
    tiers = data.get("tiers")
    if not isinstance(tiers, dict):
        raise DistillgameError(f"{path}: 'tiers': a mapping of names to tiers")
    return Books(url or str(data.get("ledger") or LEDGER), tuple(map(str, tiers)))
