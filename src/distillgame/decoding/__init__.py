"""The engine that samples completions under a release policy."""

from distillgame.decoding.batching import Sequence, TextStream
from distillgame.decoding.engine import TOKEN_BUDGET, Engine
from distillgame.decoding.networks import DERIVATIVE_STEP, LOW_RANK_ERROR, DerivativeName
from distillgame.decoding.precision import (
    PRECISIONS,
    NetworkTiming,
    Precision,
    choose_precision,
    settle_precisions,
    time_passes,
)
from distillgame.decoding.request import Request, Sample, Sampler, SamplingParams, Update
from distillgame.decoding.speculation import Calibration

__all__ = [
    "DERIVATIVE_STEP",
    "LOW_RANK_ERROR",
    "PRECISIONS",
    "TOKEN_BUDGET",
    "Calibration",
    "DerivativeName",
    "Engine",
    "NetworkTiming",
    "Precision",
    "Request",
    "Sample",
    "Sampler",
    "SamplingParams",
    "Sequence",
    "TextStream",
    "Update",
    "choose_precision",
    "settle_precisions",
    "time_passes",
]
