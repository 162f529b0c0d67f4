"""One request, from its admission to the settlement of its account."""

from distillgame.gateway.exchange.exchange import Exchange

__all__ = ["Exchange"]
