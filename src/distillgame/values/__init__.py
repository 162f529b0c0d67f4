"""Values: how useful a released example is for distillation."""

from distillgame.values.gradient import (
    Direction,
    moved,
    objective_gradient,
    trainable,
    v_grad_difference,
    v_grad_jvp,
)
from distillgame.values.likelihood import IGNORED, Batch, collate, mean_logprob

__all__ = [
    "IGNORED",
    "Batch",
    "Direction",
    "collate",
    "mean_logprob",
    "moved",
    "objective_gradient",
    "trainable",
    "v_grad_difference",
    "v_grad_jvp",
]
