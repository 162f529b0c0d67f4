"""The schemas of traces and results."""

from distillgame.records.charges import Charge, read_charges
from distillgame.records.conversations import content_text, conversation
from distillgame.records.endings import Ending, ending
from distillgame.records.exposed import ReleasedLogprobs, read_logprobs
from distillgame.records.facts import FactCount, LearntFacts, ReleaseRow
from distillgame.records.intervals import ConfidenceInterval, MedianRange
from distillgame.records.released import (
    ReleasedTrace,
    read_released,
    read_verdicts,
    released_traces,
    write_released,
)
from distillgame.records.results import Results, read_results
from distillgame.records.rows import (
    ComparisonRow,
    Difference,
    FlagRow,
    Level,
    StudentRow,
    TeacherRow,
    ThreatModel,
)
from distillgame.records.traces import Outcome, Trace, read_outcomes, read_traces, write_traces
from distillgame.records.viewed import ViewedFact, ViewedProblem, ViewedTrace

__all__ = [
    "Charge",
    "ComparisonRow",
    "ConfidenceInterval",
    "Difference",
    "Ending",
    "FactCount",
    "FlagRow",
    "LearntFacts",
    "Level",
    "MedianRange",
    "Outcome",
    "ReleaseRow",
    "ReleasedLogprobs",
    "ReleasedTrace",
    "Results",
    "StudentRow",
    "TeacherRow",
    "ThreatModel",
    "Trace",
    "ViewedFact",
    "ViewedProblem",
    "ViewedTrace",
    "content_text",
    "conversation",
    "ending",
    "read_charges",
    "read_logprobs",
    "read_outcomes",
    "read_released",
    "read_results",
    "read_traces",
    "read_verdicts",
    "released_traces",
    "write_released",
    "write_traces",
]
