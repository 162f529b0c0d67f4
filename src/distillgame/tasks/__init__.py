"""Problems and grading: what is asked, from where, and whether an answer is right.

Importing this package registers the built-in tasks ``gsm8k``, ``math``, ``mmlu`` and ``reasoning_gym``.
"""

from distillgame.tasks import gsm8k, gym, math_problems, mmlu  # noqa: F401  (they register themselves)
from distillgame.tasks.base import Message, Problem, Task, tasks
from distillgame.tasks.extraction import extract_answer
from distillgame.tasks.grading import Grade, grade
from distillgame.tasks.splits import SPLITS, split

__all__ = ["SPLITS", "Grade", "Message", "Problem", "Task", "extract_answer", "grade", "split", "tasks"]
