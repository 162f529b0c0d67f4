"""Finished stages: where they lie, who is computing one, and what holds a run's folder."""

from distillgame.arena.store.cache import MANIFEST, Cache
from distillgame.arena.store.environment import environment, require_same
from distillgame.arena.store.files import LOCK, full_disk_is_an_error, lock, write_text
from distillgame.arena.store.remote import holding, node_folder, remote_at
from distillgame.arena.store.store import Store

__all__ = [
    "LOCK",
    "MANIFEST",
    "Cache",
    "Store",
    "environment",
    "full_disk_is_an_error",
    "holding",
    "lock",
    "node_folder",
    "remote_at",
    "require_same",
    "write_text",
]
