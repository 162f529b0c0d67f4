"""Engines, which compute stages: worker processes of this machine, or a Ray cluster."""

from distillgame.arena.engines.cluster import Cluster, connected
from distillgame.arena.engines.engine import Engine
from distillgame.arena.engines.nodes import cluster_device
from distillgame.arena.engines.pool import Pool

__all__ = ["Cluster", "Engine", "Pool", "cluster_device", "connected"]
