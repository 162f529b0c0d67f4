"""Blinding: exhibits in an order and under ids from which nothing can be told."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from distillgame.judges.base import Exhibit

LETTERS = str.maketrans("0123456789abcdef", "abcdefghijklmnop")
"""Ids have letters only: spreadsheet programs turn ``0012e5`` into a number."""


@dataclass(frozen=True)
class Blinded:
    """Exhibits under new ids, and the way back.

    Attributes:
        exhibits: The exhibits, in random order.
        originals: Original ids by new ids.
    """

    exhibits: tuple[Exhibit, ...]
    originals: Mapping[str, str]


def blinded(*groups: Iterable[Exhibit], seed: int) -> Blinded:
    """Return the exhibits of all groups, released traces and anchors say, as one blinded batch.

    Ids are hashes of the original ones, keyed by the seed, and their order is the order of the batch. Both depend on
    nothing else, so that more exhibits do not change the ids of the others. Whoever knows the seed and the original ids
    can find the way back.

    Args:
        *groups: Exhibits; no two may have the same id.
        seed: The key.

    Raises:
        ValueError: If two exhibits have the same id.
    """
    exhibits = [exhibit for group in groups for exhibit in group]
    originals = {_keyed(exhibit.id, seed): exhibit.id for exhibit in exhibits}
    if len(originals) < len(exhibits):
        raise ValueError(f"exhibits need ids of their own ({len(exhibits)} exhibits have {len(originals)})")
    renamed = [replace(exhibit, id=_keyed(exhibit.id, seed)) for exhibit in exhibits]
    return Blinded(tuple(sorted(renamed, key=lambda exhibit: exhibit.id)), originals)


def _keyed(name: str, seed: int) -> str:
    key = hashlib.blake2b(str(seed).encode(), digest_size=32).digest()
    return hashlib.blake2b(name.encode(), key=key, digest_size=8).hexdigest().translate(LETTERS)
