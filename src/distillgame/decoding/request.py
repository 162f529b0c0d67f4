"""What is asked of the engine, and what it answers."""

from dataclasses import dataclass, field
from typing import Literal

from pydantic import Field

from distillgame.strict import Strict


class SamplingParams(Strict):
    """How completions are sampled from the released distribution.

    Attributes:
        temperature: Temperature of the reference teacher; 0 decodes greedily.
        top_p: Nucleus mass kept after temperature and policy; 1 keeps all.
        top_k: Number of tokens kept after temperature and policy; 0 keeps all.
        max_new_tokens: Length at which a completion is cut.
        forced_answer_tokens: Number of greedy tokens that follow the task's forced-answer text where a completion
            was cut; 0 leaves it cut.
    """

    temperature: float = Field(0.6, ge=0)
    top_p: float = Field(1.0, gt=0, le=1)
    top_k: int = Field(0, ge=0)
    max_new_tokens: int = Field(256, ge=1)
    forced_answer_tokens: int = Field(0, ge=0)


@dataclass(frozen=True)
class Request:
    """One completion to sample.

    Attributes:
        id: Names the random stream together with the seed; two requests with one id and seed get equal draws.
        messages: The conversation so far, which each expert reads through its own chat template.
        forced_answer: Text that is appended before an answer is forced.
    """

    id: str
    messages: list[dict[str, str]]
    forced_answer: str = ""


@dataclass
class Sample:
    """One sampled completion with what was measured on the way, one entry a sampled token (nats, after temperature).

    Attributes:
        id: The request's id.
        completion: Released text, with a forced answer if there was one.
        finish_reason: ``stop`` if it ended by itself, ``length`` if it was cut.
        prompt_tokens: Number of tokens the teacher read.
        forced_tokens: Number of tokens of the forced answer, its lead-in included; they are measured nowhere.
        token_ids: Sampled teacher tokens, the end-of-sequence token included.
        logprob_released: log pi_rel of each token, before top-p and top-k.
        logprob_reference: log pi_ref of each token.
        logprob_proxy: log pi_stu of each token, empty where no proxy was evaluated, nan where it shares not the token.
        kl: KL(pi_rel‖pi_ref) of each step; empty at temperature 0, where it is not defined.
    """

    id: str
    completion: str = ""
    finish_reason: Literal["stop", "length"] = "length"
    prompt_tokens: int = 0
    forced_tokens: int = 0
    token_ids: list[int] = field(default_factory=list)
    logprob_released: list[float] = field(default_factory=list)
    logprob_reference: list[float] = field(default_factory=list)
    logprob_proxy: list[float] = field(default_factory=list)
    kl: list[float] = field(default_factory=list)
