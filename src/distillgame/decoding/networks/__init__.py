"""Teacher and proxies reading batches of growing sequences: caches, attention masks, derivatives of the proxies."""

from distillgame.decoding.networks.context import Context
from distillgame.decoding.networks.independence import require_independent_rows
from distillgame.decoding.networks.proxy import Proxies, Proxy, make_proxies
from distillgame.decoding.networks.readers import DERIVATIVE_STEP, LOW_RANK_ERROR, DerivativeName

__all__ = [
    "DERIVATIVE_STEP",
    "LOW_RANK_ERROR",
    "Context",
    "DerivativeName",
    "Proxies",
    "Proxy",
    "make_proxies",
    "require_independent_rows",
]
