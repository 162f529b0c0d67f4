"""The interface of writers, and what they write."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from distillgame.decoding import Request, SamplingParams

Progress = Callable[[int, int], None]
"""Called with the number of texts that are there and their total."""


@dataclass(frozen=True)
class Written:
    """A text that was written.

    Attributes:
        text: The text; empty if the writer refused.
        finish_reason: ``stop`` if it ended by itself, ``length`` if it was cut, or what else the writer says.
        prompt_tokens: Number of tokens that were read.
        tokens: Number of tokens that were written.
    """

    text: str
    finish_reason: str
    prompt_tokens: int = 0
    tokens: int = 0


class Writer(ABC):
    """A model that is asked for texts."""

    @abstractmethod
    def write(
        self, requests: Sequence[Request], params: SamplingParams, seed: int, progress: Progress | None = None
    ) -> list[Written]:
        """Return one text per request, in their order.

        Args:
            requests: Conversations with ids, which name their random streams together with the seed.
            params: Sampling parameters of all of them.
            seed: Seed of the random streams.
            progress: Told how many are there.

        Raises:
            DistillgameError: If the writer cannot be reached, or refuses what it is asked.
        """
