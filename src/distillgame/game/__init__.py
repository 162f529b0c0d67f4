"""The distillation game on known distributions: best responses, equilibrium, certificates. NumPy and SciPy only."""

from distillgame.game.contexts import Contexts, make_contexts
from distillgame.game.equilibrium import Certificate, Equilibrium, equilibrium
from distillgame.game.files import Game, make_game, read_game
from distillgame.game.responses import BestResponse, largest_epsilon, student_best_response, teacher_best_response
from distillgame.game.solution import Solution, solve, value_grid
from distillgame.game.tilts import kl, tilt
from distillgame.game.value import Value, value

__all__ = [
    "BestResponse",
    "Certificate",
    "Contexts",
    "Equilibrium",
    "Game",
    "Solution",
    "Value",
    "equilibrium",
    "kl",
    "largest_epsilon",
    "make_contexts",
    "make_game",
    "read_game",
    "solve",
    "student_best_response",
    "teacher_best_response",
    "tilt",
    "value",
    "value_grid",
]
