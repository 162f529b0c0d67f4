"""Released teachers from which the search for an equilibrium starts."""

from collections.abc import Iterator
from itertools import chain, zip_longest

import numpy as np

from distillgame.game.contexts import Array, Contexts
from distillgame.game.responses import respond
from distillgame.game.supports import dropped_supports
from distillgame.game.value import slopes

SMALL = 50_000
"""Largest total number of outputs for a full search; in larger games it anticipates fewer students."""

ETAS = np.geomspace(0.05, 500, 17)
"""The student's tilts, for values of spread one, whose anticipation is a start."""

FAR_FIRST = [8, 16, 0, 12, 4, 14, 6, 10, 2, 15, 13, 11, 9, 7, 5, 3, 1]
"""An order of :data:`ETAS` whose beginnings spread over all of them."""

LONE = 12
"""Largest number of contexts for which some starts spend the whole budget in one of them."""


def starts(game: Contexts, epsilon: float, rho: float, in_turn: bool) -> Iterator[Array]:
    """Yield released teachers to descend from, shape (n, m).

    Args:
        game: The contexts.
        epsilon: The teacher's budget in nats.
        rho: The student's.
        in_turn: Take one start of each kind after the other, so that the first few are as different as can be;
            otherwise all of a kind follow each other.
    """
    one_sided = iter([respond(game, epsilon, -1).pi])
    if rho == 0 or epsilon == 0:
        return one_sided
    kinds = [one_sided, _anticipations(game, epsilon, in_turn), dropped_supports(game, epsilon), _lone(game, epsilon)]
    if not in_turn:
        return chain(*kinds)
    return (start for turn in zip_longest(*kinds) for start in turn if start is not None)


def _anticipations(game: Contexts, epsilon: float, far_first: bool) -> Iterator[Array]:
    """Yield the anticipation of students of many strengths."""
    etas = ETAS[FAR_FIRST] if far_first else ETAS
    for eta in etas if game.pi.size <= SMALL else etas[:5]:
        yield respond(slopes(game, game.pi, eta), epsilon, -1).pi


def _lone(game: Contexts, epsilon: float) -> Iterator[Array]:
    """Yield teachers that spend the whole budget in one context, in games of few contexts."""
    if not 1 < len(game.weights) <= LONE:
        return
    for eta in ETAS[2::5]:
        for i in np.flatnonzero(game.weights > 0):
            alone = np.zeros_like(game.weights)
            alone[i] = 1.0
            derivatives = slopes(game, game.pi, eta)
            only = Contexts(derivatives.pi, derivatives.v, alone, derivatives.lengths)
            collapsed = respond(only, epsilon / game.weights[i], -1).pi
            yield np.where(alone[:, None] > 0, collapsed, game.pi)
