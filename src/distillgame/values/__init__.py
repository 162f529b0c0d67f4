"""Values: how useful a released example is for distillation."""

from distillgame.values.gradient import (
    Direction,
    moved,
    objective_gradient,
    trainable,
    v_grad_difference,
    v_grad_jvp,
)
from distillgame.values.influence import heldout_drops, preconditioned, second_moments
from distillgame.values.likelihood import IGNORED, Batch, collate, mean_logprob, token_logprobs
from distillgame.values.perturbed import check_direction, float_view, low_rank_pair, moved_copy

__all__ = [
    "IGNORED",
    "Batch",
    "Direction",
    "check_direction",
    "collate",
    "float_view",
    "heldout_drops",
    "low_rank_pair",
    "mean_logprob",
    "moved",
    "moved_copy",
    "objective_gradient",
    "preconditioned",
    "second_moments",
    "token_logprobs",
    "trainable",
    "v_grad_difference",
    "v_grad_jvp",
]
