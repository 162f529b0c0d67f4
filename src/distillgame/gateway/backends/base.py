"""What samples: our engine in a process of its own, or another server."""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

from distillgame.decoding import SamplingParams
from distillgame.gateway.ledger.charge import NOTHING, Charge


@dataclass(frozen=True)
class Job:
    """One completion to sample.

    Attributes:
        policy: Name of the policy it is released under.
        stream: Names its random stream (:func:`distillgame.gateway.api.jobs.stream_key`).
        params: How it is sampled, within what the policy allows.
        messages: The conversation; empty where there is a prompt.
        prompt: Text that is continued as it is.
        logprobs: Whether log-probabilities are shown.
        seed: The client's seed, which another server is given; our engine knows ``stream`` only.
        pieces: Tokens in a piece, 0 for all at the end.
    """

    policy: str
    stream: str
    params: SamplingParams
    messages: tuple[dict[str, str], ...] = ()
    prompt: str | None = None
    logprobs: bool = False
    seed: int | None = None
    pieces: int = 0


@dataclass(frozen=True)
class TokenLogprob:
    """A released token as it is shown with its log-probability.

    Attributes:
        token: Its text.
        logprob: log pi_rel.
        top: The likeliest tokens' texts with theirs.
    """

    token: str
    logprob: float
    top: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Piece:
    """Some tokens of a completion.

    Attributes:
        text: Their text, as far as no later token can change it.
        charge: What they cost.
        prompt_tokens: Tokens of the prompt.
        logprobs: The tokens' log-probabilities, where they are shown.
        finish: ``stop`` or ``length`` with the last piece.
    """

    text: str = ""
    charge: Charge = NOTHING
    prompt_tokens: int = 0
    logprobs: tuple[TokenLogprob, ...] = field(default=())
    finish: str | None = None


class Backend(ABC):
    """Samples completions."""

    @abstractmethod
    async def start(self) -> None:
        """Get ready; returns when requests can be served.

        Raises:
            DistillgameError: If that is impossible.
        """

    @abstractmethod
    def run(self, job: Job) -> AsyncGenerator[Piece, None]:
        """Sample one completion, piece by piece; closing the generator cancels it.

        Raises:
            ApiError: If the job is refused or fails.
        """

    @abstractmethod
    def problem(self) -> str | None:
        """Why nothing can be served, if it cannot."""

    @abstractmethod
    def load(self) -> tuple[int, int]:
        """Completions that are being sampled or wait, and how many there may be."""

    @abstractmethod
    async def failed(self) -> None:
        """Wait until nothing can be served ever again; for ever, if all is well."""

    @abstractmethod
    async def close(self) -> None:
        """Stop."""
