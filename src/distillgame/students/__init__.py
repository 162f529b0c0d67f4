"""The attackers: students, and the one trainer that trains them."""

from distillgame.students.base import Student, make_student, students
from distillgame.students.distill import TrainingReport, distill
from distillgame.students.settings import LoraSettings, TrainingSettings
from distillgame.students.trainer import DistillTrainer
from distillgame.students.weighing import Adaptive, Passive, Shuffled, Untrained

__all__ = [
    "Adaptive",
    "DistillTrainer",
    "LoraSettings",
    "Passive",
    "Shuffled",
    "Student",
    "TrainingReport",
    "TrainingSettings",
    "Untrained",
    "distill",
    "make_student",
    "students",
]
