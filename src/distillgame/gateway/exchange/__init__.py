"""One request, from its admission to the settlement of its account."""

from distillgame.gateway.exchange.exchange import Exchange
from distillgame.gateway.exchange.rewriting import Rewritings

__all__ = ["Exchange", "Rewritings"]
