"""The schemas of traces and results."""

from distillgame.records.charges import Charge, read_charges
from distillgame.records.conversations import content_text, conversation
from distillgame.records.endings import Ending, ending
from distillgame.records.exposed import ReleasedLogprobs, read_logprobs
from distillgame.records.facts import FactCount, LearntFacts, ReleaseRow
from distillgame.records.intervals import ConfidenceInterval, MedianRange
from distillgame.records.judgements import JudgedExhibit, MarkedStatement, Role, read_judged, write_judged
from distillgame.records.legibility import (
    AgreementRow,
    AnchorRow,
    JudgeRow,
    Legibility,
    LegibilityComparison,
    LegibilityRow,
    LevelShare,
    MeanScore,
    ScoreShift,
)
from distillgame.records.released import (
    ReleasedTrace,
    answered_traces,
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
from distillgame.records.viewed import ViewedFact, ViewedJudgement, ViewedProblem, ViewedTrace

__all__ = [
    "AgreementRow",
    "AnchorRow",
    "Charge",
    "ComparisonRow",
    "ConfidenceInterval",
    "Difference",
    "Ending",
    "FactCount",
    "FlagRow",
    "JudgeRow",
    "JudgedExhibit",
    "LearntFacts",
    "Legibility",
    "LegibilityComparison",
    "LegibilityRow",
    "Level",
    "LevelShare",
    "MarkedStatement",
    "MeanScore",
    "MedianRange",
    "Outcome",
    "ReleaseRow",
    "ReleasedLogprobs",
    "ReleasedTrace",
    "Results",
    "Role",
    "ScoreShift",
    "StudentRow",
    "TeacherRow",
    "ThreatModel",
    "Trace",
    "ViewedFact",
    "ViewedJudgement",
    "ViewedProblem",
    "ViewedTrace",
    "answered_traces",
    "content_text",
    "conversation",
    "ending",
    "read_charges",
    "read_judged",
    "read_logprobs",
    "read_outcomes",
    "read_released",
    "read_results",
    "read_traces",
    "read_verdicts",
    "released_traces",
    "write_judged",
    "write_released",
    "write_traces",
]
