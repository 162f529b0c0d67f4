"""The owner's configuration of a server: policies, tiers, engine or upstream, and the HTTP server."""

from distillgame.gateway.config.load import load_serving
from distillgame.gateway.config.policies import Range, ServedPolicy, weakness
from distillgame.gateway.config.sections import UpstreamSettings
from distillgame.gateway.config.serve import ServeConfig
from distillgame.gateway.config.tiers import Limits, Tier

__all__ = ["Limits", "Range", "ServeConfig", "ServedPolicy", "Tier", "UpstreamSettings", "load_serving", "weakness"]
