"""Exponential tilts of distributions, and their costs in nats."""

import numpy as np

from distillgame.game.contexts import Array

SMALL_RATIO = 1e-3
"""Absolute log-ratio below which four terms of a series are exact."""


def tilt(pi: Array, v: Array, strength: float) -> Array:
    """Return pi·exp(strength·v), normalised over the last axis (Theorem 3.1 of "The Distillation Game").

    Args:
        pi: Probabilities, shape (..., m); outputs of probability 0 keep it.
        v: Finite values, shape (..., m).
        strength: Any number; at plus or minus infinity all mass is on the largest or smallest values.
    """
    return tilt_and_cost(pi, v, strength)[0]


def tilt_and_cost(pi: Array, v: Array, strength: float) -> tuple[Array, Array]:
    """Return :func:`tilt` and KL(tilted‖pi) in nats, shape (...), which is accurate even if tiny."""
    if strength == 0:
        return pi.copy(), np.zeros(pi.shape[:-1])
    inside = pi > 0
    edge = np.where(inside, v, -np.inf).max(-1) if strength > 0 else np.where(inside, v, np.inf).min(-1)
    with np.errstate(over="ignore", invalid="ignore"):
        # At an infinite tilt values below the edge lose all mass and those at the edge keep theirs.
        exponent = np.where(inside & (v != edge[..., None]), strength * (v - edge[..., None]), 0.0)
        grown = np.where(inside, np.exp(exponent), 0.0)
    tilted = pi * grown
    total = tilted.sum(-1, keepdims=True)
    # The logarithm of a sum close to one would lose the digits of a weak tilt.
    shrink = np.where(inside, pi * np.expm1(exponent), 0.0).sum(-1, keepdims=True)
    log_total = np.where(total > 0.5, np.log1p(np.maximum(shrink, -0.5)), np.log(total))
    ratio = np.where(inside, exponent - log_total, 0.0)
    # e^r·r - (e^r - 1): no term is negative, so terms do not cancel; for small r a series avoids cancellation within.
    with np.errstate(invalid="ignore", over="ignore"):
        each = np.where(np.isneginf(ratio), 1.0, np.exp(ratio) * ratio - np.expm1(ratio))
        series = ratio**2 * (1 / 2 + ratio * (1 / 3 + ratio * (1 / 8 + ratio / 30)))
        each = np.where(np.abs(ratio) < SMALL_RATIO, series, each)
    return tilted / total, np.maximum((pi * each).sum(-1), 0.0)


def kl(p: Array, q: Array) -> Array:
    """Return KL(p‖q) in nats over the last axis, shape (...); infinite where p has mass and q has none."""
    from scipy.special import rel_entr

    divergence: Array = np.maximum(rel_entr(p, q).sum(-1), 0.0)
    return divergence
