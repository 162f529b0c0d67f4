"""The engine that samples completions under a release policy."""

from distillgame.decoding.engine import Engine
from distillgame.decoding.request import Request, Sample, SamplingParams

__all__ = ["Engine", "Request", "Sample", "SamplingParams"]
