"""Standard errors, intervals, paired tests, agreement, frontiers, root search on measurements, the kinds of flags."""

from distillgame.stats.accuracies import accuracy_interval, accuracy_intervals
from distillgame.stats.agreement import ordinal_alpha, weighted_kappa
from distillgame.stats.clusters import Interval, Scored, level_masses, mean_score
from distillgame.stats.flag_kinds import FLAGS, FlagKind
from distillgame.stats.frontiers import area_between
from distillgame.stats.intervals import Estimated, estimate, holm, relative_gain, standard_error
from distillgame.stats.ranks import RankCorrelation, rank_correlation
from distillgame.stats.roots import OutOfReachError, Trial, find_root
from distillgame.stats.shifts import Shift, paired_shift, paired_shifts

__all__ = [
    "FLAGS",
    "Estimated",
    "FlagKind",
    "Interval",
    "OutOfReachError",
    "RankCorrelation",
    "Scored",
    "Shift",
    "Trial",
    "accuracy_interval",
    "accuracy_intervals",
    "area_between",
    "estimate",
    "find_root",
    "holm",
    "level_masses",
    "mean_score",
    "ordinal_alpha",
    "paired_shift",
    "paired_shifts",
    "rank_correlation",
    "relative_gain",
    "standard_error",
    "weighted_kappa",
]
