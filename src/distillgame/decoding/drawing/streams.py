"""Random numbers keyed by (seed, request, position, purpose), never by batch order."""

import numpy as np

from distillgame.seeding import derive_seed

TOKEN, DRAFT, ACCEPT = range(3)
"""Purposes, as columns of :func:`uniforms`."""


def uniforms(seed: int, request: str, count: int) -> np.ndarray:
    """Return uniform draws in [0, 1) by position and purpose, float64, shape (count, 3).

    A prefix does not depend on ``count``.
    """
    return np.random.Generator(np.random.Philox(key=derive_seed(seed, request, "token", bits=128))).random((count, 3))


def policy_keys(seed: int, request: str, count: int) -> np.ndarray:
    """Return one 62-bit integer by position for policies that draw randomness, int64, shape (count,)."""
    generator = np.random.Generator(np.random.Philox(key=derive_seed(seed, request, "policy", bits=128)))
    return generator.integers(0, 2**62, count)
