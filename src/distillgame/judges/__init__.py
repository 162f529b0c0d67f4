"""Judges of traces: are they still worth reading?

Importing this package registers the built-in judges ``checked``, ``rubric`` and ``labels``.
"""

from distillgame.judges.anchors import KINDS, REFERENCE, Anchor, AnchorPair, anchors_of, in_order
from distillgame.judges.base import (
    AUDITABILITY,
    Exhibit,
    Judge,
    JudgeChoice,
    Judgement,
    Mark,
    Scale,
    Tools,
    judge_all,
    judges,
    make_judge,
)
from distillgame.judges.blinding import Blinded, blinded
from distillgame.judges.checked import CheckedJudge
from distillgame.judges.labelling import LabelsJudge
from distillgame.judges.labels import export_labels, read_labels
from distillgame.judges.rubric import RubricJudge, planted

__all__ = [
    "AUDITABILITY",
    "KINDS",
    "REFERENCE",
    "Anchor",
    "AnchorPair",
    "Blinded",
    "CheckedJudge",
    "Exhibit",
    "Judge",
    "JudgeChoice",
    "Judgement",
    "LabelsJudge",
    "Mark",
    "RubricJudge",
    "Scale",
    "Tools",
    "anchors_of",
    "blinded",
    "export_labels",
    "in_order",
    "judge_all",
    "judges",
    "make_judge",
    "planted",
    "read_labels",
]
