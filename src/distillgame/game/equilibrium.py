"""The joint equilibrium: the teacher that anticipates the adaptive student (docs/solving.md).

V is concave in pi_rel, so the teacher minimises a concave function over a convex set. Its linearisation at pi_rel lies
above it, with slopes exp(eta v)/(eta Z); the best response to those slopes therefore never raises V, and repeating this
leads to a point that is its own best response, pi_rel ∝ pi_ref·exp(-kappa·exp(eta v)/Z). There may be several such
points, so the search starts from many, in larger games until several agree, and a lower bound limits what it can miss
(:mod:`distillgame.game.bound`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from distillgame.game.bound import lower_bound, weighted_spread
from distillgame.game.contexts import Array, Contexts, Rows, check_budget, make_contexts
from distillgame.game.merging import bins_for, merge, unmerge
from distillgame.game.responses import BestResponse, respond
from distillgame.game.starts import starts
from distillgame.game.tilts import kl
from distillgame.game.value import Value, evaluate, slopes

FIRST, LAST = 15, 400
"""Largest numbers of the teacher's responses from each start, and then from the best few results."""

PROGRESS = 1e-13
"""Smallest decrease of V after which the descent continues, for values of spread one."""

FINALISTS = 5
SMALL = 50_000
"""Largest total number of outputs that are searched as they are; a larger game is first searched with similar outputs
merged."""

THOROUGH = 2_000
"""Largest total number of outputs for which every start is taken, whether or not the first ones agree."""

ENOUGH = 8
"""Number of starts of all kinds in turn after which the search of a larger game ends, if they all agree."""

AGREEMENT = 1e-6
"""Largest difference of values that count as the same, relative to the mean spread of values."""

CERTAIN = 1e-4
"""Distance within which a lower bound proves a value, relative to the mean spread of values."""


@dataclass(frozen=True)
class Certificate:
    """Evidence on how good an equilibrium is.

    Attributes:
        value: V at the equilibrium.
        inner_gap: The inner duality gap there: the student's response is best to within this.
        kkt_residual: Largest change of a probability if the teacher responds once more; 0 at a stationary point, nan
            if rho is not active, since V is not smooth there.
        epsilon_spent: E KL(pi_rel‖pi_ref) in nats.
        epsilon_active: Whether a larger epsilon would change the teacher.
        rho_spent: E KL(pi_eff‖pi_rel) in nats.
        rho_active: Whether a larger rho would change the student.
        starts: Number of starts; in a game of more than :data:`SMALL` outputs, of those that led to the few best ends.
        agreeing: Number of them that ended at this value.
        lower_bound: A lower bound on V of every released teacher within its budget; None if it was not computed.
        is_global: Whether the lower bound is within :data:`CERTAIN` of the value: no teacher is noticeably better.
    """

    value: float
    inner_gap: float
    kkt_residual: float
    epsilon_spent: float
    epsilon_active: bool
    rho_spent: float
    rho_active: bool
    starts: int
    agreeing: int
    lower_bound: float | None
    is_global: bool


@dataclass(frozen=True)
class Equilibrium:
    """The best released teacher that was found, and the student's response to it.

    Attributes:
        pi_rel: The released teacher, shape (n, m).
        pi_eff: The student's best response to it, shape (n, m).
        eta: The student's dual there; infinite if its budget is not active.
        kappa: The teacher's tilt, pi_rel ∝ pi_ref·exp(-kappa·exp(eta v)/Z); nan if eta is 0 or infinite.
        tilt: kappa·eta, which stays finite as eta goes to 0: there it is the one-sided teacher's lambda.
        value: V.
        certificate: Evidence on how good it is.
    """

    pi_rel: Array
    pi_eff: Array
    eta: float
    kappa: float
    tilt: float
    value: float
    certificate: Certificate


def equilibrium(
    pi_ref: Rows,
    v: Rows,
    epsilon: float,
    rho: float,
    weights: Sequence[float] | Array | None = None,
) -> Equilibrium:
    """Return the best teacher within ``epsilon`` nats of ``pi_ref`` against a student within ``rho`` nats of it.

    Args:
        pi_ref: The reference teacher, shape (n, m) or ragged.
        v: Values, of the same shape.
        epsilon: Budget of fidelity in nats.
        rho: Budget of adaptation in nats.
        weights: Weights of the contexts, shape (n,).

    Raises:
        DistillgameError: If an input is not valid.
    """
    given = make_contexts(pi_ref, v, weights)
    return solve_equilibrium(given, check_budget("epsilon", epsilon), check_budget("rho", rho))


def solve_equilibrium(given: Contexts, epsilon: float, rho: float, bound: bool = True) -> Equilibrium:
    """Do the same as :func:`equilibrium` for checked contexts; with ``bound``, compute a lower bound if feasible."""
    game, scale, offset = _normalised(given)
    spread = weighted_spread(game)
    found = _search_large(game, epsilon, rho, spread) if game.pi.size > SMALL else _search(game, epsilon, rho, spread)
    best = min(found, key=lambda point: point.value.value)
    lowest = best.value.value
    low = lower_bound(game, epsilon, rho, lowest) if bound else None
    student, teacher = best.value.student, best.response
    eta = student.dual / scale if scale > 0 else student.dual
    finite = 0 < eta < np.inf
    certificate = Certificate(
        value=offset + scale * lowest,
        inner_gap=scale * best.value.gap,
        kkt_residual=float(np.abs(best.pi - teacher.pi)[game.weights > 0].max()) if student.active else np.nan,
        epsilon_spent=game.mean(kl(best.pi, game.pi)),
        epsilon_active=teacher.active,
        rho_spent=student.spent,
        rho_active=student.active,
        starts=sum(point.starts for point in found),
        agreeing=sum(point.starts for point in found if point.value.value - lowest <= AGREEMENT * spread),
        lower_bound=None if low is None else offset + scale * low,
        is_global=low is not None and bool(lowest - low <= CERTAIN * spread),
    )
    tilt = (teacher.dual / scale if scale > 0 else teacher.dual) if np.isfinite(eta) else np.nan
    kappa = tilt / eta if finite else np.nan
    return Equilibrium(best.pi, student.pi, eta, kappa, tilt, certificate.value, certificate)


@dataclass(frozen=True)
class _Point:
    pi: Array
    value: Value
    response: BestResponse
    starts: int = 1


def _normalised(given: Contexts) -> tuple[Contexts, float, float]:
    """Return the game with values from -1 to 0, 0 at each context's best, and the scale and offset of V."""
    inside = (given.pi > 0) & (given.weights > 0)[:, None]
    top = np.where(inside, given.v, -np.inf).max(1)
    top = np.where(given.weights > 0, top, 0.0)
    ahead = np.where(inside, given.v / 2 - top[:, None] / 2, 0.0)
    scale = float(-ahead.min())
    v = ahead / scale if scale > 0 else ahead
    return Contexts(given.pi, v, given.weights, given.lengths), 2 * scale, given.mean(top)


def _descend(game: Contexts, pi: Array, epsilon: float, rho: float, iterations: int) -> _Point:
    """Let the teacher respond to the student's best response repeatedly, which never raises V."""
    value = evaluate(game.releasing(pi), rho)
    response = respond(slopes(game, pi, value.student.dual), epsilon, -1)
    for _ in range(iterations):
        after = evaluate(game.releasing(response.pi), rho)
        if after.value > value.value - PROGRESS:
            break
        pi, value = response.pi, after
        response = respond(slopes(game, pi, value.student.dual), epsilon, -1)
    return _Point(pi, value, response)


def _search(game: Contexts, epsilon: float, rho: float, spread: float) -> list[_Point]:
    """Descend from every start, or, in a larger game, until :data:`ENOUGH` starts have all ended at the same value."""
    in_turn = game.pi.size > THOROUGH
    found: list[_Point] = []
    for start in starts(game, epsilon, rho, in_turn):
        found.append(_descend(game, start, epsilon, rho, FIRST))
        values = [point.value.value for point in found]
        if in_turn and len(found) == ENOUGH and max(values) - min(values) <= AGREEMENT * spread:
            break
    found.sort(key=lambda point: point.value.value)
    return [_descend(game, point.pi, epsilon, rho, LAST) for point in found[:FINALISTS]] + found[FINALISTS:]


def _search_large(game: Contexts, epsilon: float, rho: float, spread: float) -> list[_Point]:
    """Search the game with similar outputs merged, and descend in the game itself from the best ends that differ."""
    bins = bins_for(game)
    if bins >= game.pi.shape[1]:
        return _search(game, epsilon, rho, spread)
    small, part = merge(game, bins)
    ends: list[_Point] = []
    for point in sorted(_search(small, epsilon, rho, spread), key=lambda point: point.value.value):
        if ends and point.value.value - ends[-1].value.value <= AGREEMENT * spread:
            ends[-1] = replace(ends[-1], starts=ends[-1].starts + 1)
        else:
            ends.append(point)
    return [
        replace(_descend(game, unmerge(game, small, end.pi, part), epsilon, rho, LAST), starts=end.starts)
        for end in ends[:FINALISTS]
    ]
