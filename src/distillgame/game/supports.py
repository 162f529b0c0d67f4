"""Teachers that never release their most valuable outputs, as far as the budget allows.

A student with a large budget finds the best output however rare it is; then only dropping it helps.
"""

import itertools
from collections.abc import Iterable, Iterator

import numpy as np

from distillgame.game.contexts import Array, Contexts

COMBINATIONS = 128
"""Largest number of combinations of dropped outputs that is enumerated; more are chosen greedily."""

STEPS = 64
"""Largest number of greedy steps."""


def dropped_supports(game: Contexts, epsilon: float) -> Iterator[Array]:
    """Yield the reference teacher without the outputs above some value in each context, within ``epsilon`` nats.

    Args:
        game: The contexts.
        epsilon: The teacher's budget in nats.

    Yields:
        Probabilities, shape (n, m).
    """
    whole = np.array([[0.0, np.inf]])
    rows = zip(game.pi, game.v, game.weights, strict=True)
    levels = [_levels(pi, v) if weight > 0 else whole for pi, v, weight in rows]
    count = 1
    for each in levels:
        count = min(count * len(each), COMBINATIONS + 1)
    choices: Iterable[tuple[int, ...]]
    if count <= COMBINATIONS:
        choices = itertools.product(*(range(len(each)) for each in levels))
    else:
        choices = _greedy(levels, game.weights, epsilon)
    for choice in choices:
        picked = [each[k] for each, k in zip(levels, choice, strict=True)]
        if any(choice) and sum(w * cost for w, (cost, _) in zip(game.weights, picked, strict=True)) <= epsilon:
            limits = np.array([limit for _, limit in picked])
            pi = np.where(game.v <= limits[:, None], game.pi, 0.0)
            yield pi / pi.sum(1, keepdims=True)


def _levels(pi: Array, v: Array) -> Array:
    """Return a context's levels, from keeping all outputs to keeping only the least valuable ones.

    Each of the rows, shape (L, 2), has the KL cost of dropping all outputs above some value, and that value.
    """
    limits, places = np.unique(v[pi > 0], return_inverse=True)
    masses = np.minimum(np.cumsum(np.bincount(places, pi[pi > 0])), 1.0)
    levels: Array = np.stack([-np.log(masses), limits], 1)[::-1]
    return levels


def _greedy(levels: list[Array], weights: Array, epsilon: float) -> Iterator[tuple[int, ...]]:
    """Drop outputs in order of the decrease in best value per nat, within the budget."""
    chosen = [0] * len(levels)
    spent = 0.0
    best = [_best_drop(each, 0, weight, epsilon) for each, weight in zip(levels, weights, strict=True)]
    for _ in range(STEPS):
        for i, (_, cost, _) in enumerate(best):
            if spent + cost > epsilon:
                best[i] = _best_drop(levels[i], chosen[i], weights[i], epsilon - spent)
        i = max(range(len(best)), key=lambda i: best[i][0])
        rate, cost, k = best[i]
        if rate <= 0:
            return
        spent += cost
        chosen[i] = k
        best[i] = _best_drop(levels[i], k, weights[i], epsilon - spent)
        yield tuple(chosen)


def _best_drop(levels: Array, chosen: int, weight: float, budget: float) -> tuple[float, float, int]:
    """Return the best further level of a context: decrease per nat (0 if none is affordable), its cost, its index."""
    further = levels[chosen + 1 :] - levels[chosen]
    costs = weight * further[:, 0]
    rates = np.where(costs <= budget, -further[:, 1] / np.maximum(further[:, 0], 1e-300), 0.0)
    if not rates.size or not rates.max() > 0:
        return 0.0, 0.0, chosen
    k = int(rates.argmax())
    return float(rates[k]), float(costs[k]), chosen + 1 + k
