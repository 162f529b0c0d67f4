"""Seeds derived from names: randomness is keyed by what it is for, never by the order in which things happen."""

import hashlib


def derive_seed(*parts: object, bits: int = 63) -> int:
    """Return an integer of ``bits`` bits that depends on every part (on its text), and on nothing else."""
    digest = hashlib.blake2b("\0".join(str(part) for part in parts).encode(), digest_size=16).digest()
    return int.from_bytes(digest, "little") >> (128 - bits)
