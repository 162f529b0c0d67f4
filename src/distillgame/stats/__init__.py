"""Standard errors."""

from distillgame.stats.errors import standard_error

__all__ = ["standard_error"]
