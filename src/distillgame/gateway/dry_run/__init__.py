"""A start of a server without a server: checks of its configuration, and the memory that it would take."""

from distillgame.gateway.dry_run.estimate import estimate

__all__ = ["estimate"]
