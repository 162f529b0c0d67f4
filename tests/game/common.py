"""Random games, and what brute force says about them."""

import itertools
from typing import Any

import numpy as np
from scipy.optimize import minimize

from distillgame.game import kl, value
from distillgame.game.contexts import Array


def random_game(seed: int, contexts: int = 2, outputs: int = 4) -> tuple[Array, Array, Array]:
    rng = np.random.default_rng(seed)
    pi = rng.dirichlet(np.full(outputs, 1.5), contexts)
    return pi, rng.normal(size=(contexts, outputs)), rng.dirichlet(np.full(contexts, 4.0))


def softmax(x: Array) -> Array:
    e = np.exp(x - x.max(-1, keepdims=True))
    result: Array = e / e.sum(-1, keepdims=True)
    return result


def constrained(objective: Any, reference: Array, weights: Array, budget: float, starts: int, seed: int) -> float:
    """The lowest value of ``objective(pi)`` with E KL(pi‖reference) <= budget that SLSQP finds from random starts."""
    rng = np.random.default_rng(seed)
    shape = reference.shape

    def pi(x: Array) -> Array:
        return softmax(np.log(reference) + x.reshape(shape))

    def room(x: Array) -> float:
        return budget - float(weights @ kl(pi(x), reference))

    best = np.inf
    for k in range(starts):
        x0 = rng.normal(size=reference.size) * (0.0 if k == 0 else rng.choice([0.3, 1.0, 3.0]))
        found = minimize(
            lambda x: objective(pi(x)), x0, method="SLSQP", constraints={"type": "ineq", "fun": room},
            options={"maxiter": 300, "ftol": 1e-12},
        )  # fmt: skip
        if room(found.x) > -1e-7:
            best = min(best, float(found.fun))
    return best


def game_value(pi_rel: Array, v: Array, rho: float, weights: Array) -> float:
    return value(pi_rel, v, rho, weights).value


def droppable_game(seed: int, rho: float) -> tuple[Array, Array, float, float]:
    """A game in which each context may drop its one output of value.

    Returns:
        The reference, the values, a budget for some of the contexts, and the lowest value of all ways to drop.
    """
    rng = np.random.default_rng(seed)
    n = int(rng.integers(3, 6))
    p, worth = rng.uniform(0.1, 0.6, n), rng.uniform(0.2, 1.0, n)
    pi, v = np.stack([p, 1 - p], 1), np.stack([worth, np.zeros(n)], 1)
    epsilon = 0.3 * float(-np.log(1 - p).mean())
    best = np.inf
    for dropped in itertools.product([False, True], repeat=n):
        teacher = np.where(np.array(dropped)[:, None], [0.0, 1.0], pi)
        if float(kl(teacher, pi).mean()) <= epsilon:
            best = min(best, value(teacher, v, rho).value)
    return pi, v, epsilon, best
