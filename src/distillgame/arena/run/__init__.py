"""A run: its stages in the order of their inputs, computed by an engine, stored, shown."""

from distillgame.arena.run.run import Run

__all__ = ["Run"]
