"""Writers: models that are asked for texts, here or behind an endpoint, where nothing but the text matters."""

from distillgame.writers.base import Writer, Written
from distillgame.writers.endpoint import EndpointWriter
from distillgame.writers.journal import Journal
from distillgame.writers.local import LocalWriter

__all__ = ["EndpointWriter", "Journal", "LocalWriter", "Writer", "Written"]
