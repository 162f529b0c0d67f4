"""The HTTP server."""

from distillgame.gateway.web.server import serve

__all__ = ["serve"]
