"""Finished stages: where they lie, who is computing one, and what holds a run's folder."""

from distillgame.arena.store.files import LOCK, full_disk_is_an_error, lock, write_text
from distillgame.arena.store.store import JOURNALS, MANIFEST, Store

__all__ = ["JOURNALS", "LOCK", "MANIFEST", "Store", "full_disk_is_an_error", "lock", "write_text"]
