"""Students, the attackers: the built-in ones, the suites that freeze them, and their training."""

from distillgame.students import attackers  # noqa: F401  (they register themselves)
from distillgame.students.base import Editing, Objective, Prepared, Student, StudentChoice, make_student, students
from distillgame.students.lessons import Desk, Lesson, Phase, Soft
from distillgame.students.suites import CUSTOM, SUITES, Suite, suite_of
from distillgame.students.supplies import Inversion, Needs, Supplies
from distillgame.students.training import LoraSettings, TrainingReport, TrainingSettings, distill, is_first, open_desk
from distillgame.students.valuation import VALUES, Value, Valuing, appraise

__all__ = [
    "CUSTOM",
    "SUITES",
    "VALUES",
    "Desk",
    "Editing",
    "Inversion",
    "Lesson",
    "LoraSettings",
    "Needs",
    "Objective",
    "Phase",
    "Prepared",
    "Soft",
    "Student",
    "StudentChoice",
    "Suite",
    "Supplies",
    "TrainingReport",
    "TrainingSettings",
    "Value",
    "Valuing",
    "appraise",
    "distill",
    "is_first",
    "make_student",
    "open_desk",
    "students",
    "suite_of",
]
