"""Standard errors, and roots of what is measured."""

from distillgame.stats.errors import standard_error
from distillgame.stats.roots import OutOfReachError, Trial, find_root

__all__ = ["OutOfReachError", "Trial", "find_root", "standard_error"]
