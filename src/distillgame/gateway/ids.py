"""Identifiers for requests, ledger entries and random streams."""

import hashlib
import os
from itertools import count

_KEY = os.urandom(32)
_COUNT = count()


def unique_id() -> str:
    """Return an identifier of 24 hexadecimal digits that nobody can guess.

    It is a keyed hash of a counter. Asking the operating system for randomness would cost a system call each time.
    """
    number = next(_COUNT).to_bytes(8, "little") + os.getpid().to_bytes(8, "little")
    return hashlib.blake2b(number, key=_KEY, digest_size=12).hexdigest()
