"""A lower bound on the value of a game, over all released teachers and not only those that a search found.

V = min over eta of (rho + G(eta))/eta with G(eta) = min over pi_rel of K(eta) = E_x log E_{y~pi_rel} exp(eta v).
For a given eta the contexts share only the budget. With a price on the budget each context is a problem of one
variable, since at a given KL the exponential tilt minimises E exp(eta v); so G is bounded by Lagrangian duality.
Between two values of eta the bound follows because K is convex with K(0) = 0, so that K(eta)/eta, and with it
G(eta)/eta, never falls: (rho + G(b))/b >= rho/b + G(a)/a for a <= b. Intervals are halved where the bound is lowest
(branch and bound).
"""

import heapq

import numpy as np

from distillgame.game.contexts import Array, Contexts
from distillgame.game.responses import respond

LARGEST_GAME = 400
"""Largest total number of outputs for which a bound is computed."""

INTERVALS, CURVES = 500, 4000
"""Largest numbers of intervals, and of single-context problems, that are bounded."""

FINE, MOST = 150, 4000
"""Numbers of tilts, per decade and at most, between which a context's problem of one variable is bounded."""

REFINED = 40
"""Number of further tilts between the two that enclose a context's whole budget."""

LARGEST_ETA = 600.0
"""Largest eta that is tried; beyond it exponentials of values of spread one overflow. If the student's budget does not
bind, so that its eta is infinite, the bound is therefore a few thousandths too low."""

LARGEST_RHO = 1e6
PRICES = np.geomspace(1e-6, 1e4, 61)
CLOSE = 5e-5
"""Accepted distance of the bound from the value found, relative to the mean spread of values."""


def lower_bound(game: Contexts, epsilon: float, rho: float, found: float) -> float | None:
    """Return a lower bound on V of every released teacher, at most ``found``; None if the game is too large.

    Args:
        game: Contexts with values from -1 to 0, 0 at each context's best output.
        epsilon: The teacher's budget in nats.
        rho: The student's budget in nats.
        found: V of some released teacher.
    """
    passive = respond(game, epsilon, -1).value  # a linear problem, and G(eta)/eta as eta goes to 0
    close = CLOSE * weighted_spread(game)
    if rho == 0 or epsilon == 0 or found - passive <= close:
        return found if rho == 0 or epsilon == 0 else passive
    if game.pi.size > LARGEST_GAME:
        return None
    rho = min(rho, LARGEST_RHO)  # a smaller one makes every bound lower
    # Each interval: its bound, where it begins and ends, and G(eta)/eta where it begins.
    first = rho / max(-passive, 1e-3) / 4
    edges = [0.0, *np.geomspace(min(first, 1.0), 100.0, 16), np.inf]
    slopes = [passive, *(_slope(game, epsilon, eta) for eta in edges[1:-1])]
    queue = [
        (rho / b + max(slope, passive), a, b, slope) for a, b, slope in zip(edges, edges[1:], slopes, strict=False)
    ]
    heapq.heapify(queue)
    for _ in range(min(INTERVALS, CURVES // len(game.weights))):
        low, a, b, slope = queue[0]
        middle = 4 * a if np.isinf(b) else b / 4 if a == 0 else float(np.sqrt(a * b))
        if found - low <= close or middle > LARGEST_ETA:
            break
        heapq.heapreplace(queue, (rho / middle + slope, a, middle, slope))
        right = max(_slope(game, epsilon, middle), slope)
        heapq.heappush(queue, (rho / b + right, middle, b, right))
    return float(min(queue[0][0], found))


def weighted_spread(game: Contexts) -> float:
    """Return the mean spread of the contexts' values (from -1 to 0): the largest possible difference in V."""
    return game.mean(-game.v.min(1))


def _slope(game: Contexts, epsilon: float, eta: float) -> float:
    """Return a lower bound on G(eta)/eta."""
    curves = []
    for pi, v, weight in zip(game.pi, game.v, game.weights, strict=True):
        if weight > 0:
            inside = pi > 0
            curves.append((weight, *_curve(pi[inside], v[inside], eta, epsilon / weight)))

    def dual(price: Array) -> Array:
        """Return the Lagrangian dual at each price of the budget."""
        total = -price * epsilon
        for weight, least, cost in curves:
            total += weight * (least + price[:, None] * cost).min(1)
        return total

    # Any price gives a bound; search the best one. A price of zero means an unlimited budget.
    found = dual(PRICES)
    best = int(np.argmax(found))
    near = np.geomspace(float(PRICES[max(best - 1, 0)]), float(PRICES[min(best + 1, len(PRICES) - 1)]), 60)
    return float(max(found[best], dual(near).max(), dual(np.zeros(1))[0])) / eta


def _curve(pi: Array, v: Array, eta: float, budget: float) -> tuple[Array, Array]:
    """Return points (log z, KL) such that at any price one of them costs no more than any distribution.

    z is the distribution's E exp(eta v). Along the tilts by u = exp(eta v) the KL is a convex function of z whose slope
    is minus the tilt: between two tilts it lies above its tangent, and log z plus a price times the tangent is concave,
    so that the minimum is at an end.
    """
    u = np.exp(eta * (v - v.max()))
    low, spread = float(u.min()), float(u.max() - u.min())
    if spread == 0 or budget == 0:
        return np.array([np.log((pi * u).sum()) + eta * v.max()]), np.array([0.0])
    # From almost no tilt to one that leaves only the smallest u, which may be many decades larger.
    weakest, strongest = 1e-4 / spread, max(1e4 / spread, 100 / low)
    count = min(int(FINE * np.log10(strongest / weakest)), MOST)
    strengths = np.concatenate([[0.0], np.geomspace(weakest, strongest, count)])
    z, cost = _tilts(pi, u, strengths)
    end = int(np.searchsorted(cost, budget, side="right"))
    if end < len(strengths):
        # No context spends more than its whole budget, which is reached between two tilts.
        between = np.linspace(strengths[end - 1], strengths[end], REFINED)
        near_z, near_cost = _tilts(pi, u, between)
        k = min(int(np.searchsorted(near_cost, budget, side="right")), REFINED - 1)
        right = near_z[k] + (near_cost[k] - budget) / between[k]
        left = near_z[k - 1] - (budget - near_cost[k - 1]) / between[k - 1] if between[k - 1] > 0 else low
        last = max(left, right, low)
        strengths = np.concatenate([strengths[:end], between[1:k]])
        z, cost = np.concatenate([z[:end], near_z[1:k], [last]]), np.concatenate([cost[:end], near_cost[1:k]])
    else:
        z = np.concatenate([z, [low]])
    tangent = cost + strengths * (z[:-1] - z[1:])
    return np.log(np.concatenate([z[:-1], z[1:]])) + eta * v.max(), np.concatenate([cost, tangent])


def _tilts(pi: Array, u: Array, strengths: Array) -> tuple[Array, Array]:
    """Return E u under pi·exp(-strength·u) and its KL from pi, for each strength."""
    ahead = u - u.min()
    grown = pi * np.exp(-strengths[:, None] * ahead)
    total = grown.sum(1)
    mean = grown @ ahead / total
    return mean + u.min(), np.maximum(-strengths * mean - np.log(total), 0.0)
