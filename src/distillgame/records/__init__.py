"""The schemas of traces and results."""

from distillgame.records.results import (
    Difference,
    Interval,
    Results,
    StudentRow,
    TeacherRow,
    ThreatModel,
    read_results,
)
from distillgame.records.traces import ReleasedTrace, Trace, read_released, read_traces, write_traces

__all__ = [
    "Difference",
    "Interval",
    "ReleasedTrace",
    "Results",
    "StudentRow",
    "TeacherRow",
    "ThreatModel",
    "Trace",
    "read_released",
    "read_results",
    "read_traces",
    "write_traces",
]
