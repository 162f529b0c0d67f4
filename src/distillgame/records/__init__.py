"""The schemas of traces and results."""

from distillgame.records.results import Results, read_results
from distillgame.records.rows import (
    ComparisonRow,
    ConfidenceInterval,
    Difference,
    FlagRow,
    Level,
    MedianRange,
    StudentRow,
    TeacherRow,
    ThreatModel,
)
from distillgame.records.traces import (
    Outcome,
    ReleasedTrace,
    Trace,
    read_outcomes,
    read_released,
    read_traces,
    read_verdicts,
    write_released,
    write_traces,
)
from distillgame.records.viewed import ViewedProblem, ViewedTrace

__all__ = [
    "ComparisonRow",
    "ConfidenceInterval",
    "Difference",
    "FlagRow",
    "Level",
    "MedianRange",
    "Outcome",
    "ReleasedTrace",
    "Results",
    "StudentRow",
    "TeacherRow",
    "ThreatModel",
    "Trace",
    "ViewedProblem",
    "ViewedTrace",
    "read_outcomes",
    "read_released",
    "read_results",
    "read_traces",
    "read_verdicts",
    "write_released",
    "write_traces",
]
