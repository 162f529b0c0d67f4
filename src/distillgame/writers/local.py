"""A writer that is run here."""

from collections.abc import Sequence

from distillgame.decoding import Request, Sampler, SamplingParams
from distillgame.writers.base import Progress, Writer, Written


class LocalWriter(Writer):
    """A model in an engine, undefended.

    Args:
        engine: The engine.
    """

    def __init__(self, engine: Sampler):
        self._engine = engine

    def write(
        self, requests: Sequence[Request], params: SamplingParams, seed: int, progress: Progress | None = None
    ) -> list[Written]:
        """Return one text per request."""
        samples = self._engine.generate(requests, params, seed)
        if progress is not None:
            progress(len(requests), len(requests))
        return [
            Written(sample.completion, sample.finish_reason, sample.prompt_tokens, len(sample.token_ids))
            for sample in samples
        ]
