"""One-sided best responses (Theorem 3.1 of "The Distillation Game"): one dual for all contexts, by root search."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from distillgame.game.contexts import Array, Contexts, Rows, check_budget, make_contexts
from distillgame.game.tilts import tilt_and_cost

LARGEST = 690.0
"""Logarithm of the largest tilt that is tried, for values of spread one."""

SMALL_BUDGET = 1e-3
"""Budget in nats below which divergences are computed by a slower formula that is accurate near zero."""


STRIDE = 4.0
"""Largest step in log strength of a root search, at first."""

CLOSE = 1e-12
"""Width of the bracket with which it ends, too."""

PRECISION = 1e-8
"""Step in log strength with which a root search ends."""

NEARLY = 1 - 1e-6
"""Share of the cheaply computed cost of the extreme response above which that response is computed."""


@dataclass(frozen=True)
class BestResponse:
    """The best distribution within a KL budget.

    Attributes:
        pi: Probabilities, shape (n, m).
        dual: The tilt: eta for the student, lambda for the teacher. 0 at a budget of zero, infinite if the budget is
            not active.
        value: Expected value under ``pi``.
        spent: Expected KL from the given distribution, in nats.
        active: Whether a larger budget would change it.
    """

    pi: Array
    dual: float
    value: float
    spent: float
    active: bool


def student_best_response(
    pi_rel: Rows, v: Rows, rho: float, weights: Sequence[float] | Array | None = None
) -> BestResponse:
    """Return the adaptive student pi_eff ∝ pi_rel·exp(eta v) of largest E v with E KL(pi_eff‖pi_rel) <= rho.

    Args:
        pi_rel: The released teacher, shape (n, m) or ragged.
        v: Values, of the same shape.
        rho: Budget of adaptation in nats.
        weights: Weights of the contexts, shape (n,).

    Raises:
        DistillgameError: If an input is not valid.
    """
    return respond(make_contexts(pi_rel, v, weights, "pi_rel"), check_budget("rho", rho), +1)


def teacher_best_response(
    pi_ref: Rows, v: Rows, epsilon: float, weights: Sequence[float] | Array | None = None
) -> BestResponse:
    """Return the teacher against a passive student: pi_rel ∝ pi_ref·exp(-lambda v), E KL(pi_rel‖pi_ref) <= epsilon.

    Arguments and errors are those of :func:`student_best_response`, with the reference teacher ``pi_ref`` and the
    budget of fidelity ``epsilon``, in nats.
    """
    return respond(make_contexts(pi_ref, v, weights), check_budget("epsilon", epsilon), -1)


def respond(contexts: Contexts, budget: float, sign: int) -> BestResponse:
    """Return the best response that raises (``sign`` +1) or lowers (-1) the expected value."""
    pi, v, weights = contexts.pi, contexts.v, contexts.weights
    inside = (pi > 0) & (weights > 0)[:, None]
    spread = np.where(inside, v, -np.inf).max(1) - np.where(inside, v, np.inf).min(1)
    scale = float(np.where(weights > 0, spread, 0.0).max())

    def at(strength: float) -> tuple[Array, float]:
        tilted, cost = tilt_and_cost(pi, v, sign * strength)
        return tilted, contexts.mean(cost)

    edge = _edge(v, inside, sign)
    if budget >= NEARLY * _extreme_cost(contexts, edge):
        extreme, most = at(np.inf)
        if budget >= most:
            return BestResponse(extreme, np.inf, _expect(contexts, extreme), most, False)
    if budget == 0:
        return BestResponse(pi.copy(), 0.0, _expect(contexts, pi), 0.0, True)

    ahead = np.where(inside, (v - edge[:, None]) * (sign / scale), 0.0)

    # A small tilt costs its square times half the variance.
    variance = contexts.mean((pi * ahead**2).sum(1) - (pi * ahead).sum(1) ** 2)
    start = np.log(2 * budget / variance) / 2 if variance > 0 else 0.0
    tilts = _Tilts(contexts, ahead, budget)
    strength = float(np.exp(_root(tilts.excess, start)))
    if (weights > 0).all():
        found, _, _, costs = tilts.at(strength)
        spent = contexts.mean(costs)
    else:  # Contexts that do not count are tilted, too.
        found, spent = at(strength / scale)
    return BestResponse(found, strength / scale, _expect(contexts, found), spent, True)


@dataclass(frozen=True)
class _Tilts:
    """The contexts tilted by values that are 0 at their edge and negative elsewhere, with a budget in nats."""

    contexts: Contexts
    ahead: Array
    budget: float

    def at(self, strength: float) -> tuple[Array, Array, Array, Array]:
        """Return the tilted distributions, these times the exponents and their sums, and the costs."""
        exponent = strength * self.ahead
        if self.budget < SMALL_BUDGET:
            grown, costs = tilt_and_cost(self.contexts.pi, self.ahead, strength)
            weighed = grown * exponent
            return grown, weighed, weighed.sum(1), costs
        # The same with one exponential, accurate for divergences that are not tiny.
        grown = np.exp(exponent)
        grown *= self.contexts.pi
        total = grown.sum(1)
        grown /= total[:, None]
        weighed = grown * exponent
        means = weighed.sum(1)
        return grown, weighed, means, means - np.log(total)

    def excess(self, log_strength: float) -> tuple[float, float]:
        """Return log(cost / budget), nearly linear up to large strengths, and its slope, of 2 where it is linear."""
        strength = np.exp(log_strength)
        _, weighed, means, costs = self.at(strength)
        cost = self.contexts.mean(costs)
        if cost <= 0:  # Rounding may leave nothing of a tiny one.
            return -np.inf, 0.0
        # Of exponents: the variance of the values may be too small for a number.
        variance = np.einsum("ij,ij->i", weighed, strength * self.ahead) - means**2
        return float(np.log(cost / self.budget)), self.contexts.mean(variance) / cost


def _extreme_cost(contexts: Contexts, edge: Array) -> float:
    """Return the cost in nats of having only outputs at the edge left, if not to the last digit."""
    mass = np.where(contexts.v == edge[:, None], contexts.pi, 0.0).sum(1)
    return contexts.mean(-np.log(np.where(mass > 0, np.minimum(mass, 1.0), 1.0)))


def largest_epsilon(contexts: Contexts) -> float:
    """Return the nats at which the one-sided teacher has only the least valuable outputs left."""
    return respond(contexts, np.inf, -1).spent


def _edge(v: Array, inside: Any, sign: int) -> Array:
    """Return the value that the tilt favours most in each context, 0 in contexts of weight 0."""
    edge = np.where(inside, sign * v, -np.inf).max(1)
    result: Array = sign * np.where(np.isfinite(edge), edge, 0.0)
    return result


def _root(excess: Callable[[float], tuple[float, float]], start: float) -> float:
    """Return the root of a rising function that comes with its slope: Newton's method, kept within a bracket."""
    low, high = -np.inf, np.inf
    at, step, stride = min(start, LARGEST), STRIDE, STRIDE
    for _ in range(200):
        found, slope = excess(at)
        if found < 0 and at >= LARGEST:
            break  # the values are so close that no finite tilt separates them better
        low, high = (low, at) if found >= 0 else (at, high)
        wanted = -found / slope if slope > 0 else np.copysign(np.inf, -found)
        bounded = float(np.clip(wanted, -stride, stride))
        stride *= 1 if abs(wanted) < stride else 2  # The cost may be flat over hundreds of steps.
        if abs(bounded) <= PRECISION:
            return at + bounded  # An error of the order of the step's square is left.
        if high - low <= CLOSE:
            return at
        after = min(at + bounded, LARGEST)
        # A step may lead out of the bracket; and where steps do not shrink, halving it is faster.
        if np.isfinite(high - low) and (not low < after < high or abs(bounded) > abs(step) / 2):
            after = (low + high) / 2
        step, at = after - at, after
    return at


def _expect(contexts: Contexts, pi: Array) -> float:
    with np.errstate(over="ignore"):
        return contexts.mean((pi * contexts.v).sum(1))
