"""The strength that meets a budget: of a policy, or of the adaptive student."""

from distillgame.arena.calibrate.budgets import AccuracyLoss, Budget, Estimate, KLBudget
from distillgame.arena.calibrate.policy import Calibrated, as_yaml, calibrate_policy
from distillgame.arena.calibrate.student import CalibratedStudent, calibrate_student

__all__ = [
    "AccuracyLoss",
    "Budget",
    "Calibrated",
    "CalibratedStudent",
    "Estimate",
    "KLBudget",
    "as_yaml",
    "calibrate_policy",
    "calibrate_student",
]
