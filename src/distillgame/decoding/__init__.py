"""The engine that samples completions under a release policy."""

from distillgame.decoding.calibration import Calibration
from distillgame.decoding.engine import TOKEN_BUDGET, Engine
from distillgame.decoding.readers import DerivativeName
from distillgame.decoding.request import Request, Sample, SamplingParams, Update

__all__ = [
    "TOKEN_BUDGET",
    "Calibration",
    "DerivativeName",
    "Engine",
    "Request",
    "Sample",
    "SamplingParams",
    "Update",
]
