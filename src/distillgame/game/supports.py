"""Teachers that never release some outputs: those worth most, as far as the budget reaches.

Where the student's budget is large it finds the best output however rare it is made, and only dropping it helps.
"""

import itertools
from collections.abc import Iterator

import numpy as np

from distillgame.game.contexts import Array, Contexts

COMBINATIONS = 128
"""Most combinations of dropped outputs that are enumerated; beyond that they are chosen greedily."""

STEPS = 64
"""Most outputs that are dropped one after the other."""

Level = tuple[float, float]
"""The KL that it costs to drop all outputs above some value, and that value: the best that is left."""


def dropped_supports(game: Contexts, epsilon: float) -> Iterator[Array]:
    """The reference teacher without the outputs above some value in each context, within ``epsilon`` nats.

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
    """What may be left of a context, from all of it to its least valuable outputs."""
    limits = np.unique(v[pi > 0])[::-1]
    masses = [min(float(pi[(pi > 0) & (v <= limit)].sum()), 1.0) for limit in limits]
    return [(-float(np.log(mass)), float(limit)) for mass, limit in zip(masses, limits, strict=True)]


def _greedy(levels: list[list[Level]], weights: Array, epsilon: float) -> Iterator[tuple[int, ...]]:
    """Drop what lowers the best values most for each nat, for as long as the budget lasts."""
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
