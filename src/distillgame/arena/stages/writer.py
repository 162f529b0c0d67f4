"""Whoever writes texts for a stage, here or behind an endpoint."""

from distillgame.arena.config import Generation
from distillgame.arena.stages.base import StageContext
from distillgame.arena.stages.engine import Answerer, make_engine
from distillgame.arena.stages.model import Model
from distillgame.models import Endpoint, WriterSpec
from distillgame.policies import PolicyChoice
from distillgame.writers import EndpointWriter, Journal, LocalWriter, Writer, Written

ANSWERS = "answers.jsonl"
"""The file in which a stage keeps what an endpoint answered."""

Author = Model | Endpoint
"""A writer as stages refer to it."""


def author_of(spec: WriterSpec, resolve: bool = True) -> Author:
    """Return a writer as stages refer to it; without ``resolve`` nothing is read.

    Args:
        spec: How it is named.
        resolve: Whether its files are looked up.
    """
    return spec if isinstance(spec, Endpoint) else Model.of(spec, resolve)


def make_writer(author: Author, sampling: Generation, context: StageContext) -> Writer:
    """Return a writer that is ready to be asked.

    Args:
        author: Who writes.
        sampling: The engine's settings, where it is run here.
        context: The running stage.

    Raises:
        DistillgameError: If an endpoint's key or the library for endpoints is missing.
    """
    if isinstance(author, Endpoint):
        return EndpointWriter(author, Journal(Written, context.out / ANSWERS))
    return local_writer(author, sampling, context)


def local_writer(model: Answerer, sampling: Generation, context: StageContext) -> LocalWriter:
    """Return a model as a writer.

    Args:
        model: The model, or the training that made it.
        sampling: The engine's settings.
        context: The running stage.
    """
    return LocalWriter(make_engine(model, PolicyChoice(name="standard"), {}, {}, sampling, context))
