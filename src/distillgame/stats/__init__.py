"""Standard errors, intervals, paired tests, frontiers, root search on measurements, and the kinds of flags."""

from distillgame.stats.accuracies import accuracy_interval, accuracy_intervals
from distillgame.stats.flag_kinds import FLAGS, FlagKind
from distillgame.stats.frontiers import area_between
from distillgame.stats.intervals import Estimated, estimate, holm, relative_gain, standard_error
from distillgame.stats.ranks import RankCorrelation, rank_correlation
from distillgame.stats.roots import OutOfReachError, Trial, find_root

__all__ = [
    "FLAGS",
    "Estimated",
    "FlagKind",
    "OutOfReachError",
    "RankCorrelation",
    "Trial",
    "accuracy_interval",
    "accuracy_intervals",
    "area_between",
    "estimate",
    "find_root",
    "holm",
    "rank_correlation",
    "relative_gain",
    "standard_error",
]
