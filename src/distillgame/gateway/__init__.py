"""The gateway: a defended model over OpenAI's API, with keys, policies by tier, and a ledger of what was released."""

from distillgame.gateway.config import ServeConfig
from distillgame.gateway.reading import load_serving

__all__ = ["ServeConfig", "load_serving"]
