"""Who presents a key: looked up in the database, remembered for a moment."""

import time

from distillgame.gateway.ledger.database import Writer
from distillgame.gateway.ledger.keys import Key, digest_of, find_key

REMEMBERED_SECONDS = 2.0
"""How long a key is served after it was revoked, at most."""

MOST = 10_000
"""Keys that are remembered at once; guesses are not."""


class Keyring:
    """Finds keys.

    Args:
        writer: The database.
    """

    def __init__(self, writer: Writer):
        self._writer = writer
        self._known: dict[str, tuple[float, Key]] = {}

    async def find(self, presented: str) -> Key | None:
        """The key that was presented, if it is one of ours and not revoked."""
        now = time.monotonic()
        digest = digest_of(presented)
        known = self._known.get(digest)
        if known is not None and now - known[0] < REMEMBERED_SECONDS:
            return known[1]
        key = await self._writer.write(lambda connection: find_key(connection, presented))
        if key is None:
            self._known.pop(digest, None)
        else:
            if len(self._known) >= MOST:
                self._known.clear()
            self._known[digest] = (now, key)
        return key
