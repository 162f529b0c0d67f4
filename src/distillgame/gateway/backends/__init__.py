"""Backends, which sample completions: the engine in a process of its own, or another server."""

from distillgame.gateway.backends.base import Backend, Job, JobMark, Piece, TokenLogprob
from distillgame.gateway.backends.local import LocalBackend
from distillgame.gateway.backends.upstream import UpstreamBackend

__all__ = ["Backend", "Job", "JobMark", "LocalBackend", "Piece", "TokenLogprob", "UpstreamBackend"]
