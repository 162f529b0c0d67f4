"""Tasks: their problems, their splits, and grading.

Importing this package registers the built-in tasks ``gsm8k``, ``math``, ``mmlu`` and ``reasoning_gym``.
"""

from distillgame.tasks import benchmarks  # noqa: F401  (its tasks register themselves)
from distillgame.tasks.base import Message, Problem, Task, TaskChoice, tasks
from distillgame.tasks.grading import Grade, extract_answer, grade
from distillgame.tasks.splits import SPLITS, split

__all__ = ["SPLITS", "Grade", "Message", "Problem", "Task", "TaskChoice", "extract_answer", "grade", "split", "tasks"]
