"""Authentication: the API key that a request presents."""

import base64
import time
from collections.abc import Collection, Mapping

from distillgame.gateway.errors import ApiError
from distillgame.gateway.ledger import Key, Writer, digest_of, find_key

CACHE_SECONDS = 2.0
"""Most seconds for which a key is still served after it was revoked."""

MOST_CACHED = 10_000
"""Keys in the cache, which holds valid keys only."""


class Authentication:
    """Finds the keys that requests present, and caches them for a moment.

    Args:
        writer: Reads the database.
        tiers: Names of the tiers that are served.
    """

    def __init__(self, writer: Writer, tiers: Collection[str]):
        self._writer, self._tiers = writer, tiers
        self._cache: dict[str, tuple[float, Key]] = {}

    async def identify(self, headers: Mapping[str, str], admin: bool = False) -> Key:
        """Return the key of a request.

        Args:
            headers: The request's; ``Authorization`` is a bearer key, or Basic with the key as the password. Without
                it, ``api-key`` is the key, as Azure's clients send it.
            admin: Whether an admin key is needed; otherwise it must not be one.

        Raises:
            ApiError: 401 without a valid key, 403 with one of the other kind.
        """
        presented = _presented(headers.get("authorization", "")) or headers.get("api-key", "").strip()
        key = await self._find(presented) if presented else None
        if key is None:
            message = "no API key: send 'Authorization: Bearer KEY'" if not presented else "the API key is not valid"
            # On the owner's pages, this makes browsers ask for a password.
            challenge = 'Basic realm="distillgame"' if admin else "Bearer"
            code = "invalid_api_key" if presented else "no_api_key"
            raise ApiError(401, message, code=code, challenge=challenge)
        if key.admin != admin:
            message = "this needs an admin key" if admin else "an admin key serves no completions"
            raise ApiError(403, message, code="wrong_kind_of_key")
        if not admin and key.tier not in self._tiers:
            raise ApiError(403, f"the key's tier '{key.tier}' is not served here", code="unknown_tier")
        return key

    async def _find(self, presented: str) -> Key | None:
        now = time.monotonic()
        digest = digest_of(presented)
        cached = self._cache.get(digest)
        if cached is not None and now - cached[0] < CACHE_SECONDS:
            return cached[1]
        key = await self._writer.write(lambda connection: find_key(connection, presented))
        if key is None:
            self._cache.pop(digest, None)
        else:
            if len(self._cache) >= MOST_CACHED:
                self._cache.clear()
            self._cache[digest] = (now, key)
        return key


def _presented(header: str) -> str:
    """Return the key in an ``Authorization`` header; empty if there is none."""
    scheme, _, rest = header.partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(rest, validate=True).decode().partition(":")[2]
        except ValueError:
            return ""
    return ""
