"""The interface of what samples completions: the engine in a process of its own, or another server."""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

from distillgame.decoding import SamplingParams
from distillgame.gateway.config import Sampled
from distillgame.gateway.ledger import NOTHING, Charge


@dataclass(frozen=True)
class JobMark:
    """The mark of a completion.

    Attributes:
        text: The mark, as the ledger writes it.
        key: The owner's key.
    """

    text: str
    key: bytes = field(repr=False)


@dataclass(frozen=True)
class Job:
    """One completion to sample.

    Attributes:
        policy: Name of the policy under which it is released.
        stream: Name of its random stream (:func:`distillgame.gateway.api.jobs.stream_key`).
        params: Sampling parameters, within what the policy allows.
        messages: The conversation; empty if there is a prompt.
        prompt: Text to continue, without a chat template, or the teacher's token ids.
        template: What the chat template is told beside the messages.
        logprobs: Whether log-probabilities are shown.
        seed: The client's seed, which is passed to another server; the engine only uses ``stream``.
        pieces: Tokens per piece; 0 for one piece at the end.
        mark: The mark that it carries; None if it carries none.
    """

    policy: str
    stream: str
    params: SamplingParams
    messages: tuple[dict[str, str], ...] = ()
    prompt: str | tuple[int, ...] | None = None
    template: dict[str, object] = field(default_factory=dict)
    logprobs: bool = False
    seed: int | None = None
    pieces: int = 0
    mark: JobMark | None = None

    @property
    def sampled(self) -> Sampled:
        """The policy that it is sampled from, with its mark."""
        return self.policy, None if self.mark is None else self.mark.text


@dataclass(frozen=True)
class TokenLogprob:
    """A released token, or one that could have been, with its log-probability.

    Attributes:
        token: Its text where it stands: what it adds to the text before it.
        logprob: log pi_rel.
        id: Its id, because different tokens may have the same text.
        length: Number of characters by which it makes the completion longer; 0 while a character is incomplete.
        top: The likeliest tokens at its place.
    """

    token: str
    logprob: float
    id: int = -1
    length: int = 0
    top: tuple["TokenLogprob", ...] = ()


@dataclass(frozen=True)
class Piece:
    """Some tokens of a completion.

    Attributes:
        text: Their text, as far as no later token can change it.
        charge: Their cost.
        prompt_tokens: Tokens of the prompt.
        logprobs: Their log-probabilities, if they are shown.
        finish: ``stop``, ``length`` or, from another server, ``content_filter``, with the last piece.
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
        """Get ready, and return when requests can be served.

        Raises:
            DistillgameError: If the backend cannot serve.
        """

    @abstractmethod
    def run(self, job: Job) -> AsyncGenerator[Piece, None]:
        """Sample one completion, piece by piece; closing the generator cancels it.

        Raises:
            ApiError: If the job is refused or fails.
        """

    @abstractmethod
    def problem(self) -> str | None:
        """Return why nothing can be served, or None if all is well."""

    @abstractmethod
    def load(self) -> tuple[int, int]:
        """Return the number of completions that run or wait, and its limit."""

    @abstractmethod
    async def failed(self) -> None:
        """Wait until the backend has failed for good, which never happens if all is well."""

    @abstractmethod
    async def close(self) -> None:
        """Stop."""
