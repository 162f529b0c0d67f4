"""Finished stages: where they lie, who is computing one, and what holds a run's folder."""

from distillgame.arena.store.bucket import Bucket
from distillgame.arena.store.cache import MANIFEST, Cache
from distillgame.arena.store.environment import environment, require_same
from distillgame.arena.store.files import LOCK, full_disk_is_an_error, lock, write_text
from distillgame.arena.store.lease import Lease
from distillgame.arena.store.remote import LEASES, Remote, holding, node_folder, remote_at
from distillgame.arena.store.store import JOURNALS, Store

__all__ = [
    "JOURNALS",
    "LEASES",
    "LOCK",
    "MANIFEST",
    "Bucket",
    "Cache",
    "Lease",
    "Remote",
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
