"""Teachers that never release their most valuable outputs, as far as the budget allows.

A student with a large budget finds the best output however rare it is; then only dropping it helps.
"""

import itertools
from collections.abc import Iterator

import numpy as np

from distillgame.game.contexts import Array, Contexts

COMBINATIONS = 128
"""Largest number of combinations of dropped outputs that is enumerated; more are chosen greedily."""

STEPS = 64
"""Largest number of greedy steps."""

Level = tuple[float, float]
"""The KL cost of dropping all outputs above some value, and that value, which is the best one left."""


def dropped_supports(game: Contexts, epsilon: float) -> Iterator[Array]:
    """Yield the reference teacher without the outputs above some value in each context, within ``epsilon`` nats.

    Args:
        game: The contexts.
        epsilon: The teacher's budget in nats.

    Yields:
        Probabilities, shape (n, m).
    """
    whole = [(0.0, np.inf)]
    rows = zip(game.pi, game.v, game.weights, strict=True)
    levels = [_levels(pi, v) if weight > 0 else whole for pi, v, weight in rows]
    count = 1
    for each in levels:
        count = min(count * len(each), COMBINATIONS + 1)
    choices = (
        itertools.product(*(range(len(each)) for each in levels))
        if count <= COMBINATIONS
        else _greedy(levels, game.weights, epsilon)
    )
    for choice in choices:
        picked = [each[k] for each, k in zip(levels, choice, strict=True)]
        if any(choice) and sum(w * cost for w, (cost, _) in zip(game.weights, picked, strict=True)) <= epsilon:
            limits = np.array([limit for _, limit in picked])
            pi = np.where(game.v <= limits[:, None], game.pi, 0.0)
            yield pi / pi.sum(1, keepdims=True)


def _levels(pi: Array, v: Array) -> list[Level]:
    """Return a context's levels, from keeping all outputs to keeping only the least valuable ones."""
    limits = np.unique(v[pi > 0])[::-1]
    masses = [min(float(pi[(pi > 0) & (v <= limit)].sum()), 1.0) for limit in limits]
    return [(-float(np.log(mass)), float(limit)) for mass, limit in zip(masses, limits, strict=True)]


def _greedy(levels: list[list[Level]], weights: Array, epsilon: float) -> Iterator[tuple[int, ...]]:
    """Drop outputs in order of the decrease in best value per nat, within the budget."""
    chosen = [0] * len(levels)
    spent = 0.0
    for _ in range(STEPS):
        best, pick = 0.0, None
        for i, (each, weight) in enumerate(zip(levels, weights, strict=True)):
            cost, value = each[chosen[i]]
            for k in range(chosen[i] + 1, len(each)):
                further = each[k][0] - cost
                if spent + weight * further <= epsilon and (value - each[k][1]) > best * further:
                    best, pick = (value - each[k][1]) / max(further, 1e-300), (i, k)
        if pick is None:
            return
        i, k = pick
        spent += float(weights[i]) * (levels[i][k][0] - levels[i][chosen[i]][0])
        chosen[i] = k
        yield tuple(chosen)
