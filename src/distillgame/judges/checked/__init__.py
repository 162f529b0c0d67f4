"""The judge ``checked``: programs that read a trace's arithmetic and look for damage; no language model is needed."""

from distillgame.judges.checked.arithmetic import Statement, statements
from distillgame.judges.checked.judge import CheckedJudge

__all__ = ["CheckedJudge", "Statement", "statements"]
