"""Standard errors, intervals, paired tests, frontiers, and roots of what is measured."""

from distillgame.stats.errors import standard_error
from distillgame.stats.frontiers import area_between
from distillgame.stats.intervals import Estimated, estimate, holm, relative_gain
from distillgame.stats.roots import OutOfReachError, Trial, find_root

__all__ = [
    "Estimated",
    "OutOfReachError",
    "Trial",
    "area_between",
    "estimate",
    "find_root",
    "holm",
    "relative_gain",
    "standard_error",
]
