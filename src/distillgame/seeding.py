"""Seeds derived from names: randomness is keyed by its purpose, never by the order of events."""

import hashlib


def derive_seed(*parts: object, bits: int = 63) -> int:
    """Return an integer of ``bits`` bits that depends on the text of every part and on nothing else."""
    digest = hashlib.blake2b("\0".join(str(part) for part in parts).encode(), digest_size=16).digest()
    return int.from_bytes(digest, "little") >> (128 - bits)
