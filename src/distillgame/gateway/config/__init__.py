"""The owner's configuration of a server: policies, tiers, engine or upstream, and the HTTP server."""

from distillgame.gateway.config.load import load_serving
from distillgame.gateway.config.marks import TierMark, is_markable
from distillgame.gateway.config.policies import Range, ServedPolicy, weakness
from distillgame.gateway.config.sections import UpstreamSettings
from distillgame.gateway.config.serve import Sampled, ServeConfig
from distillgame.gateway.config.tiers import Limits, Tier

__all__ = [
    "Limits",
    "Range",
    "Sampled",
    "ServeConfig",
    "ServedPolicy",
    "Tier",
    "TierMark",
    "UpstreamSettings",
    "is_markable",
    "load_serving",
    "weakness",
]
