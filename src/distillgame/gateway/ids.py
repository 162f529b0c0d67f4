"""Names that nobody guesses and nobody else gives: for requests, entries and random streams."""

import hashlib
import os
from itertools import count

_KEY = os.urandom(32)
_COUNT = count()


def unique() -> str:
    """A name of 24 hexadecimal digits.

    A keyed hash of a counter: the operating system's randomness, read once, costs a system call each time.
    """
    number = next(_COUNT).to_bytes(8, "little") + os.getpid().to_bytes(8, "little")
    return hashlib.blake2b(number, key=_KEY, digest_size=12).hexdigest()
