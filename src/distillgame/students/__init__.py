"""The attackers: students, the suites that freeze them, and the one trainer that trains them."""

from distillgame.students import assisted, controls, informed, once, selecting, weighing  # noqa: F401  (they register)
from distillgame.students.base import Needs, Objective, Prepared, Student, make_student, students
from distillgame.students.distill import TrainingReport, distill
from distillgame.students.lessons import Desk, Lesson, Soft
from distillgame.students.settings import LoraSettings, TrainingSettings
from distillgame.students.suites import CUSTOM, SUITES, Suite, suite_of
from distillgame.students.supplies import ReleasedLogprobs, Supplies
from distillgame.students.trainer import DistillTrainer

__all__ = [
    "CUSTOM",
    "SUITES",
    "Desk",
    "DistillTrainer",
    "Lesson",
    "LoraSettings",
    "Needs",
    "Objective",
    "Prepared",
    "ReleasedLogprobs",
    "Soft",
    "Student",
    "Suite",
    "Supplies",
    "TrainingReport",
    "TrainingSettings",
    "distill",
    "make_student",
    "students",
    "suite_of",
]
