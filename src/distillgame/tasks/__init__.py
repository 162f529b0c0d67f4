"""Tasks: their problems, their splits, and grading.

Importing this package registers the built-in tasks ``gsm8k``, ``math``, ``mmlu`` and ``reasoning_gym``.
"""

from distillgame.tasks import benchmarks  # noqa: F401  (its tasks register themselves)
from distillgame.tasks.base import Problem, Task, TaskChoice, tasks
from distillgame.tasks.grading import Grade, extract_answer, grade, same_answer, stated_answer
from distillgame.tasks.knowledge import Claim, Knowledge, Message, Probe, Released
from distillgame.tasks.notation import Notation
from distillgame.tasks.splits import SPLITS, split

__all__ = [
    "SPLITS",
    "Claim",
    "Grade",
    "Knowledge",
    "Message",
    "Notation",
    "Probe",
    "Problem",
    "Released",
    "Task",
    "TaskChoice",
    "extract_answer",
    "grade",
    "same_answer",
    "split",
    "stated_answer",
    "tasks",
]
