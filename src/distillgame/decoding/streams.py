"""Random numbers keyed by (seed, request, position, purpose), never by batch order."""

import numpy as np

from distillgame.seeding import derive_seed


def uniforms(seed: int, request: str, count: int) -> np.ndarray:
    """Return uniform draws in [0, 1) by position, float64, shape (count,); a prefix does not depend on ``count``."""
    return np.random.Generator(np.random.Philox(key=derive_seed(seed, request, "token", bits=128))).random(count)


def policy_keys(seed: int, request: str, count: int) -> np.ndarray:
    """Return one 62-bit integer by position for policies that draw randomness, int64, shape (count,)."""
    generator = np.random.Generator(np.random.Philox(key=derive_seed(seed, request, "policy", bits=128)))
    return generator.integers(0, 2**62, count)
