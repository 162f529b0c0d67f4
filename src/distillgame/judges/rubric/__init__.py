"""The judge ``rubric``: a language model that scores traces criterion by criterion, asked through inspect_ai."""

from distillgame.judges.rubric.criteria import Criterion, Rubric, read_rubric
from distillgame.judges.rubric.injections import injections, planted
from distillgame.judges.rubric.judge import RubricJudge

__all__ = ["Criterion", "Rubric", "RubricJudge", "injections", "planted", "read_rubric"]
