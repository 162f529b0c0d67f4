"""Calls with a limit on time and memory, in worker processes that can be killed."""

from distillgame.tasks.sandbox.pool import CallFailedError, OverLimitError, Reply, Sandbox, sandbox

__all__ = ["CallFailedError", "OverLimitError", "Reply", "Sandbox", "sandbox"]
