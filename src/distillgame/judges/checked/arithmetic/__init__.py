"""The arithmetic of a text: its statements are found, read by a grammar, and checked in exact fractions."""

from distillgame.judges.checked.arithmetic.numbers import Value, agree
from distillgame.judges.checked.arithmetic.statements import Statement, statements, value_of

__all__ = ["Statement", "Value", "agree", "statements", "value_of"]
