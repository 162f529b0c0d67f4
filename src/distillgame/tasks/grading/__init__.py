"""Grading: extract the answer from a completion, read its structure, compare it with the gold answer."""

from distillgame.tasks.grading.extraction import extract_answer, gold_answers, stated_answer
from distillgame.tasks.grading.grader import TIME_LIMIT, Grade, grade, same_answer

__all__ = ["TIME_LIMIT", "Grade", "extract_answer", "gold_answers", "grade", "same_answer", "stated_answer"]
