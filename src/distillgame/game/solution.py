"""Solutions of games: one-sided best responses, the equilibrium, and V of each teacher."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from distillgame.game.contexts import Array
from distillgame.game.equilibrium import Equilibrium, solve_equilibrium
from distillgame.game.files import Game
from distillgame.game.responses import BestResponse, respond
from distillgame.game.value import evaluate


@dataclass(frozen=True)
class Solution:
    """A solved game. All values are V: the expected value under the student's best response to a teacher.

    Attributes:
        game: The game.
        student: The student's best response to the reference teacher; its value is V without a defense.
        teacher: The teacher's best response to a passive student.
        teacher_value: V of that teacher against the adaptive student.
        equilibrium: The teacher that anticipates the adaptive student.
    """

    game: Game
    student: BestResponse
    teacher: BestResponse
    teacher_value: float
    equilibrium: Equilibrium

    def as_json(self) -> dict[str, Any]:
        """Return the solution as JSON data; infinite or undefined numbers are null."""
        contexts, found = self.game.contexts, self.equilibrium
        certificate = {name: _plain(x) for name, x in vars(found.certificate).items()}
        certificate["global"] = certificate.pop("is_global")
        return {
            "student": {
                "pi": contexts.ragged(self.student.pi),
                "eta": _plain(self.student.dual),
                "value": self.student.value,
            },
            "teacher": {
                "pi": contexts.ragged(self.teacher.pi),
                "lambda": _plain(self.teacher.dual),
                "value": self.teacher_value,
            },
            "equilibrium": {
                "pi_rel": contexts.ragged(found.pi_rel),
                "pi_eff": contexts.ragged(found.pi_eff),
                "eta": _plain(found.eta),
                "kappa": _plain(found.kappa),
                "tilt": _plain(found.tilt),
                "value": found.value,
            },
            "certificate": certificate,
        }


def solve(game: Game) -> Solution:
    """Solve a game."""
    contexts = game.contexts
    teacher = respond(contexts, game.epsilon, -1)
    return Solution(
        game=game,
        student=respond(contexts, game.rho, +1),
        teacher=teacher,
        teacher_value=evaluate(contexts.releasing(teacher.pi), game.rho).value,
        equilibrium=solve_equilibrium(contexts, game.epsilon, game.rho),
    )


def value_grid(game: Game, epsilons: Array, rhos: Array) -> dict[str, Array]:
    """Return V without a defense, of the one-sided teacher and at the equilibrium, for a grid of budgets.

    Args:
        game: The game; its own budgets are ignored.
        epsilons: The teacher's budgets, shape (e,).
        rhos: The student's budgets, shape (r,).

    Returns:
        ``standard``, ``teacher`` and ``equilibrium``, each of shape (e, r).
    """
    names = ("standard", "teacher", "equilibrium")
    grid = {name: np.empty((len(epsilons), len(rhos))) for name in names}
    for i, epsilon in enumerate(epsilons):
        teacher = game.contexts.releasing(respond(game.contexts, float(epsilon), -1).pi)
        for j, rho in enumerate(rhos):
            grid["standard"][i, j] = respond(game.contexts, float(rho), +1).value
            grid["teacher"][i, j] = evaluate(teacher, float(rho)).value
            grid["equilibrium"][i, j] = solve_equilibrium(game.contexts, float(epsilon), float(rho), False).value
    return grid


def _plain(x: Any) -> Any:
    return None if isinstance(x, float) and not np.isfinite(x) else x
