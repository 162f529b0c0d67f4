"""The results of a game: rows, flags, the traces of the viewer, and the files that hold them."""

from distillgame.arena.results.collector import collect
from distillgame.arena.results.files import report, write_outputs
from distillgame.arena.results.legibility import legibility_rows
from distillgame.arena.results.scores import ScoreReader, Scores
from distillgame.arena.results.student_rows import student_rows
from distillgame.arena.results.teacher_rows import teacher_row
from distillgame.arena.results.viewer import view

__all__ = [
    "ScoreReader",
    "Scores",
    "collect",
    "legibility_rows",
    "report",
    "student_rows",
    "teacher_row",
    "view",
    "write_outputs",
]
