"""Rows and lines of files as people have them: JSON Lines, JSON arrays, Parquet and text, compressed or not."""

from distillgame.tables.kinds import SUFFIXES, find_table
from distillgame.tables.lines import TextLine, read_lines
from distillgame.tables.rows import TableRow, check_text, read_rows

__all__ = ["SUFFIXES", "TableRow", "TextLine", "check_text", "find_table", "read_lines", "read_rows"]
