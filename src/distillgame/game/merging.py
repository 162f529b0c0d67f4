"""Large games made small: outputs of similar value are one output."""

import numpy as np

from distillgame.game.contexts import Array, Contexts

OUTPUTS, FEWEST = 20_000, 8
"""Total number of outputs of a merged game, about, and least number per context."""


def bins_for(game: Contexts) -> int:
    """Return the number of outputs per context into which a large game is merged."""
    return max(FEWEST, OUTPUTS // len(game.weights))


def merge(game: Contexts, bins: int) -> tuple[Contexts, np.ndarray]:
    """Merge outputs whose values lie in the same of ``bins`` equal parts of their context's range.

    A tilt depends on an output's value alone, so outputs of equal value merge without any loss.

    Returns:
        The small game, shape (n, bins), whose values are the outputs' means; and the part of each output, shape (n, m).
    """
    inside, rows = game.pi > 0, np.arange(len(game.weights))[:, None]
    low = np.where(inside, game.v, np.inf).min(1, keepdims=True)
    span = np.where(inside, game.v, -np.inf).max(1, keepdims=True) - low
    share = np.where(inside, game.v - low, 0.0) / np.where(span > 0, span, 1.0)
    part = np.minimum((share * bins).astype(np.int64), bins - 1)
    places = (rows * bins + part).ravel()
    shape = (len(rows), bins)
    pi: Array = np.bincount(places, game.pi.ravel(), len(rows) * bins).reshape(shape).astype(np.float64)
    total = np.bincount(places, (game.pi * game.v).ravel(), len(rows) * bins).reshape(shape)
    v = np.where(pi > 0, total / np.where(pi > 0, pi, 1.0), 0.0)
    return Contexts(pi, v, game.weights, (bins,) * len(rows)), part


def unmerge(game: Contexts, small: Contexts, pi: Array, part: np.ndarray) -> Array:
    """Return the teacher of the large game that splits each merged output as the reference does, at the same KL."""
    ratio = pi / np.where(small.pi > 0, small.pi, 1.0)
    split: Array = game.pi * np.take_along_axis(ratio, part, 1)
    return split
