"""Requests to the engine, sampling parameters, and the samples it returns."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal, Protocol

from pydantic import Field

from distillgame.strict import Strict


class SamplingParams(Strict):
    """Parameters of sampling from the released distribution.

    Attributes:
        temperature: Temperature of the reference teacher; 0 decodes greedily.
        top_p: Nucleus mass kept after temperature and policy; 1 keeps all.
        top_k: Number of tokens kept after temperature and policy; 0 keeps all.
        max_new_tokens: Length at which a completion is cut.
        stop: Strings that end a completion; they are not part of it.
        ignore_end: Continue past the end-of-sequence token, as benchmarks of a given length do.
        top_logprobs: Number of likeliest released tokens that are recorded with their log-probabilities at each step.
        forced_answer_tokens: Number of greedy tokens that follow the task's forced-answer text if a completion was
            cut; 0 leaves it cut.
    """

    temperature: float = Field(0.6, ge=0, allow_inf_nan=False)
    top_p: float = Field(1.0, gt=0, le=1)
    top_k: int = Field(0, ge=0)
    max_new_tokens: int = Field(256, ge=1)
    stop: tuple[str, ...] = ()
    ignore_end: bool = False
    top_logprobs: int = Field(0, ge=0)
    forced_answer_tokens: int = Field(0, ge=0)


@dataclass(frozen=True)
class Request:
    """One completion to sample.

    Attributes:
        id: Names the random stream together with the seed; two requests with one id and seed get equal draws.
        messages: The conversation so far, which each expert reads through its own chat template.
        forced_answer: Text appended to a cut completion before the answer is forced.
        params: Parameters of this request, if they differ from the others'.
        prompt: Text that each expert reads as it is, without a chat template, instead of the messages; or token ids of
            the teacher, which proxies read token by token as they read its completion.
        template: What each expert's chat template is told beside the messages.
        mark_key: The key of its owner's marks, if the policy leaves marks and not those of the policy's own owner.
    """

    id: str
    messages: list[dict[str, str]] = field(default_factory=list)
    forced_answer: str = ""
    params: SamplingParams | None = None
    prompt: str | tuple[int, ...] | None = None
    template: dict[str, object] = field(default_factory=dict)
    mark_key: bytes | None = None


FinishReason = Literal["stop", "length", "cancelled", "error"]


@dataclass
class Sample:
    """One sampled completion and its measurements, one entry per sampled token (nats, after temperature).

    Attributes:
        id: The request's id.
        completion: Released text, with a forced answer if there was one.
        finish_reason: ``stop`` if it ended by itself or at a stop string, ``length`` if it was cut, ``cancelled``, or
            ``error``.
        error: The reason, if it failed.
        prompt_tokens: Number of tokens the teacher read.
        forced_tokens: Number of tokens of the forced answer, its lead-in included; they are in no measurement.
        token_ids: Sampled teacher tokens, the end-of-sequence token included.
        logprob_released: log pi_rel of each token, before top-p and top-k.
        logprob_reference: log pi_ref of each token.
        logprob_proxy: log pi_stu of each token; empty if no proxy was evaluated, nan for tokens it does not share.
        kl: KL(pi_rel‖pi_ref) of each step; empty at temperature 0, where it is undefined.
        kl_reverse: KL(pi_ref‖pi_rel) of each step, likewise.
        top_ids: The likeliest released tokens of each step, likeliest first; empty unless asked for.
        top_logprobs: Their log pi_rel, before top-p and top-k.
        accepted: Number of sampled tokens that the policy's draft distribution, which needs no teacher, had proposed;
            0 if no proxy was evaluated. It does not depend on the number of tokens drafted ahead.
    """

    id: str
    completion: str = ""
    finish_reason: FinishReason = "length"
    error: str = ""
    prompt_tokens: int = 0
    forced_tokens: int = 0
    token_ids: list[int] = field(default_factory=list)
    logprob_released: list[float] = field(default_factory=list)
    logprob_reference: list[float] = field(default_factory=list)
    logprob_proxy: list[float] = field(default_factory=list)
    kl: list[float] = field(default_factory=list)
    kl_reverse: list[float] = field(default_factory=list)
    top_ids: list[list[int]] = field(default_factory=list)
    top_logprobs: list[list[float]] = field(default_factory=list)
    accepted: int = 0

    @property
    def v_gap(self) -> list[float]:
        """Log pi_ref - log pi_stu of each token, if a proxy was evaluated; nan for tokens it does not share."""
        return [ours - theirs for ours, theirs in zip(self.logprob_reference, self.logprob_proxy, strict=False)]


@dataclass(frozen=True)
class Update:
    """The progress of one sequence in one step of the engine.

    Attributes:
        handle: The handle that :meth:`Engine.add` returned.
        sample: The sample so far; complete once ``finished``.
        text: Text that was added to the completion.
        finished: Whether this is the last update.
    """

    handle: int
    sample: Sample
    text: str
    finished: bool


class Sampler(Protocol):
    """Anything that samples a completion for each request: the engine, or vLLM."""

    def generate(
        self,
        requests: Iterable[Request],
        params: SamplingParams,
        seed: int = 0,
        on_sample: Callable[[Sample], None] | None = None,
    ) -> list[Sample]:
        """Return a completion for each request, in their order.

        Args:
            requests: The requests.
            params: Sampling parameters of requests without their own.
            seed: Seed of every request's random stream.
            on_sample: Called with each sample when it is finished.

        Raises:
            DistillgameError: If a prompt is empty or too long.
        """
