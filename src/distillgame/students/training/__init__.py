"""Training one student on what it prepared, with one trainer for all students."""

from distillgame.students.training.distill import TrainingReport, distill, open_desk
from distillgame.students.training.settings import LoraSettings, TrainingSettings
from distillgame.students.training.sharing import is_first

__all__ = ["LoraSettings", "TrainingReport", "TrainingSettings", "distill", "is_first", "open_desk"]
