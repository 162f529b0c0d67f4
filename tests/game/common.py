"""Random games, and what brute force says about them."""

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
