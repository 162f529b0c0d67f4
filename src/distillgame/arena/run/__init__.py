"""Stages are computed here: scheduled, run by worker processes, stored, shown."""

from distillgame.arena.run.files import full_disk_is_an_error, lock, write_text
from distillgame.arena.run.run import Run
from distillgame.arena.run.store import MANIFEST, Store

__all__ = ["MANIFEST", "Run", "Store", "full_disk_is_an_error", "lock", "write_text"]
