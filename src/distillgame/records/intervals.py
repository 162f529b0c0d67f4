"""Medians and means with the ranges that belong to them."""

from distillgame.strict import Strict


class MedianRange(Strict):
    """A median with the range of its values."""

    median: float
    min: float
    max: float


class ConfidenceInterval(Strict):
    """A 95% confidence interval."""

    low: float
    high: float
