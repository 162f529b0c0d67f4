"""V(pi_rel): the value of a released teacher to the best student within a budget, from below and from above."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from distillgame.game.contexts import Array, Contexts, Rows, check_budget, make_contexts
from distillgame.game.responses import BestResponse, respond

LARGEST_ETA = 1e4
"""The tilt that stands for an infinite one: it distinguishes values that differ by 1e-3 of their spread."""

LARGEST_EXPONENT = 600.0
"""Logarithm of the largest slope; outputs with such a slope are dropped, whatever its exact value."""


@dataclass(frozen=True)
class Value:
    """The value of a released teacher to the best responding student.

    Attributes:
        value: Expected value under the student's best response.
        dual_value: (rho + E_x log E_{y~pi_rel} exp(eta v)) / eta, which is never below the value of any student within
            its budget; the two differ by the inner duality gap.
        student: The best response.
    """

    value: float
    dual_value: float
    student: BestResponse

    @property
    def gap(self) -> float:
        """The inner duality gap: the most by which any student could exceed ``value``."""
        return max(self.dual_value - self.value, 0.0)


def value(pi_rel: Rows, v: Rows, rho: float, weights: Sequence[float] | Array | None = None) -> Value:
    """Return the largest E v that a student within ``rho`` nats of ``pi_rel`` can reach.

    Arguments and errors are those of :func:`distillgame.game.student_best_response`.
    """
    return evaluate(make_contexts(pi_rel, v, weights, "pi_rel"), check_budget("rho", rho))


def evaluate(contexts: Contexts, rho: float) -> Value:
    """Do the same as :func:`value` for checked contexts."""
    student = respond(contexts, rho, +1)
    return Value(student.value, dual_value(contexts, student.dual, rho), student)


def dual_value(contexts: Contexts, eta: float, rho: float) -> float:
    """Return the upper bound that ``eta`` gives on E v of any student within its budget."""
    pi, v = contexts.pi, contexts.v
    if eta == 0:
        return contexts.mean((pi * v).sum(1)) if rho == 0 else np.inf
    top = np.where(pi > 0, v, -np.inf).max(1)
    if np.isinf(eta):
        return contexts.mean(top)
    # log E exp(eta v) = eta·top + log1p(E (exp(eta (v - top)) - 1)); for a small eta the first form loses all digits.
    ahead = eta * np.where(pi > 0, v - top[:, None], 0.0)
    shrink = (pi * np.expm1(ahead)).sum(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        log_mean = np.where(shrink > -0.5, np.log1p(shrink), np.log((pi * np.exp(ahead)).sum(1)))
    return contexts.mean(top + log_mean / eta) + rho / eta


def slopes(game: Contexts, pi: Array, eta: float) -> Contexts:
    """Return the game whose values are the derivatives of V by probability: exp(eta v)/(eta Z), up to a constant.

    The constant is the derivative at each context's best output, so that precision is kept as eta goes to 0, where the
    slopes become the values.
    """
    if eta == 0:
        return game
    eta = min(eta, LARGEST_ETA)
    top = np.where(pi > 0, game.v, -np.inf).max(1, keepdims=True)
    exponent = eta * (game.v - top)
    z = (pi * np.exp(np.where(pi > 0, exponent, 0.0))).sum(1, keepdims=True)
    few = np.expm1(np.minimum(exponent, LARGEST_EXPONENT)) / np.maximum(z, 0.1)
    many = np.exp(np.minimum(exponent - np.log(z), LARGEST_EXPONENT))  # where Z may be too small to divide by
    derivatives = np.where(z > 0.1, few, many) / eta
    return Contexts(game.pi, np.where(game.pi > 0, derivatives, 0.0), game.weights, game.lengths)
