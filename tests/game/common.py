"""Random games, and what brute force says about them."""

import itertools
from collections.abc import Callable

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


Objective = Callable[[Array], tuple[float, Array]]
"""A function of a teacher, and its derivatives by probability, which guide the search and nothing else."""


def constrained(objective: Objective, reference: Array, weights: Array, budget: float, starts: int, seed: int) -> float:
    """The lowest value of ``objective`` with E KL(pi‖reference) <= budget that SLSQP finds from random starts."""
    rng = np.random.default_rng(seed)
    shape = reference.shape

    def pi(x: Array) -> Array:
        return softmax(np.log(reference) + x.reshape(shape))

    def by_x(at: Array, by_probability: Array) -> Array:
        centred: Array = at * (by_probability - (at * by_probability).sum(-1, keepdims=True))
        return centred.ravel()

    def value_and_slope(x: Array) -> tuple[float, Array]:
        at = pi(x)
        found, slope = objective(at)
        return found, by_x(at, slope)

    def room(x: Array) -> float:
        return budget - float(weights @ kl(pi(x), reference))

    def room_slope(x: Array) -> Array:
        at = pi(x)
        return -by_x(at, weights[:, None] * np.log(np.maximum(at, 1e-300) / reference))

    best = np.inf
    for k in range(starts):
        x0 = rng.normal(size=reference.size) * (0.0 if k == 0 else rng.choice([0.3, 1.0, 3.0]))
        found = minimize(
            value_and_slope, x0, jac=True, method="SLSQP",
            constraints={"type": "ineq", "fun": room, "jac": room_slope}, options={"maxiter": 300, "ftol": 1e-12},
        )  # fmt: skip
        if room(found.x) > -1e-7:
            best = min(best, float(found.fun))
    return best


def expected_value(v: Array, weights: Array, sign: int = 1) -> Objective:
    """Plus or minus E v."""
    return lambda pi: (sign * float(weights @ (pi * v).sum(1)), sign * weights[:, None] * v)


def game_value(v: Array, rho: float, weights: Array) -> Objective:
    """V; its derivatives are those of the student's dual problem at the best eta (the envelope theorem)."""

    def at(pi: Array) -> tuple[float, Array]:
        found = value(pi, v, rho, weights)
        eta = float(np.clip(found.student.dual, 1e-6, 1e3))
        ahead = eta * (v - np.where(pi > 1e-12, v, -np.inf).max(1, keepdims=True))
        grown = np.exp(np.minimum(ahead, 50))
        return found.value, weights[:, None] * grown / (eta * (pi * grown).sum(1, keepdims=True))

    return at


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
