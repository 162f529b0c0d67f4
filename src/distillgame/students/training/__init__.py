"""Training one student on what it prepared, with one trainer for all students."""

from distillgame.students.training.distill import TrainingReport, distill, open_desk
from distillgame.students.training.settings import LoraSettings, TrainingSettings

__all__ = ["LoraSettings", "TrainingReport", "TrainingSettings", "distill", "open_desk"]
