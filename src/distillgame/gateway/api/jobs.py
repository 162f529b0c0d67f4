"""From a client's request to jobs: what is asked is clamped to what the policy allows."""

import hashlib
import hmac
import json
from dataclasses import dataclass

from distillgame.decoding import SamplingParams
from distillgame.gateway.api.requests import ChatRequest, CompletionRequest
from distillgame.gateway.backends.base import Job
from distillgame.gateway.config.serve import ServeConfig
from distillgame.gateway.config.tiers import ServedPolicy
from distillgame.gateway.errors import ApiError
from distillgame.gateway.ids import unique

GREEDY_BELOW = 0.01
"""Temperatures below this are taken for 0 where that is allowed: logits over them would overflow."""

SMALLEST_TOP_P = 1e-6
"""What a top_p of 0 is taken for: the likeliest token alone."""

Asked = ChatRequest | CompletionRequest


@dataclass(frozen=True)
class Work:
    """What a request comes to under a policy.

    Attributes:
        jobs: Its completions, in the order of their indices.
        clamped: Names of the fields that the policy did not allow as they were.
    """

    jobs: list[Job]
    clamped: list[str]

    @property
    def most_tokens(self) -> int:
        """Most tokens that it can come to."""
        return sum(job.params.max_new_tokens for job in self.jobs)


def work_of(asked: Asked, name: str, config: ServeConfig, secret: bytes) -> Work:
    """Turn a request into jobs.

    Args:
        asked: The request.
        name: The policy that it is served under.
        config: The owner's configuration.
        secret: Keys the random streams.

    Raises:
        ApiError: 400, if it asks for log-probabilities that the policy does not show, or for too many completions.
    """
    served = config.served(name)
    prompts = asked.prompts if isinstance(asked, CompletionRequest) else [None]
    choices = asked.n or 1
    if choices > served.choices:
        raise ApiError(400, f"at most {served.choices} choices are served", code="too_many_choices", param="n")
    _check_logprobs(asked, served, config)
    params, clamped = clamp(asked, served, config.temperature)
    # A form is made of the whole completion, so that nothing is sent before its end.
    streams = bool(asked.stream) and served.release.form.name == "full"
    messages = tuple(message.plain() for message in asked.messages) if isinstance(asked, ChatRequest) else ()
    jobs = []
    for prompt in prompts:
        for choice in range(choices):
            said: dict[str, object] = {
                "messages": messages,
                "prompt": prompt,
                "choice": choice,
                "seed": asked.seed,
                "policy": served.release.model_dump(),
                "temperature": params.temperature,
                "top_p": params.top_p,
            }
            key = stream_key(secret, said) if asked.seed is not None else unique()
            jobs.append(
                Job(
                    policy=name,
                    stream=key,
                    params=params,
                    messages=messages,
                    prompt=prompt,
                    logprobs=asked.logprob_count is not None,
                    seed=asked.seed,
                    pieces=config.server.stream_tokens if streams else 0,
                )
            )
    return Work(jobs, clamped)


def clamp(asked: Asked, served: ServedPolicy, reference: float) -> tuple[SamplingParams, list[str]]:
    """The parameters closest to what is asked that the policy allows, and the names of those that differ.

    Args:
        asked: The request; a temperature that it does not name is the teacher's own.
        served: The policy, its ranges filled in.
        reference: The teacher's own temperature.
    """
    assert served.temperature is not None
    assert served.top_p is not None
    clamped = []
    temperature = served.temperature.clamp(reference if asked.temperature is None else asked.temperature)
    if asked.temperature is not None and temperature != asked.temperature:
        clamped.append("temperature")
    if temperature < GREEDY_BELOW:
        temperature = 0.0 if served.temperature.low == 0 else max(temperature, served.temperature.low)
    top_p = served.top_p.clamp(1.0 if asked.top_p is None else asked.top_p)
    if asked.top_p is not None and top_p != asked.top_p:
        clamped.append("top_p")
    wanted, stops = asked.length or served.max_tokens, asked.stops
    if served.release.form.name != "full":
        # Where a form hides the reasoning, cutting it elsewhere would show it piece by piece.
        clamped += ["stop"] if stops else []
        wanted, stops = served.max_tokens, ()
    length = min(wanted, served.max_tokens)
    if asked.max_length_given and length != asked.length:
        clamped.append("max_tokens")
    params = SamplingParams(
        temperature=temperature,
        top_p=max(top_p, SMALLEST_TOP_P),
        max_new_tokens=length,
        stop=stops,
        top_logprobs=asked.logprob_count or 0,
    )
    return params, clamped


def stream_key(secret: bytes, said: dict[str, object]) -> str:
    """The name of a random stream: everything that the distribution and the draw depend on, under a secret.

    Draws that differ in any of it, temperature included, share no randomness, and nobody who lacks the secret knows the
    numbers that a token was drawn by: a known number would tell where the released distribution's sums lie. Length and
    stop strings are left out: they cut the same draw elsewhere.
    """
    text = json.dumps(said, sort_keys=True, ensure_ascii=True)
    return hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()


def _check_logprobs(asked: Asked, served: ServedPolicy, config: ServeConfig) -> None:
    count = asked.logprob_count
    if count is None:
        return
    if served.logprobs is None or config.upstream is not None:
        raise ApiError(
            400, "log-probabilities are not released under this key's policy", code="logprobs_refused", param="logprobs"
        )
    if count > served.logprobs:
        raise ApiError(
            400, f"at most {served.logprobs} alternatives a token are shown", code="logprobs_refused",
            param="top_logprobs" if isinstance(asked, ChatRequest) else "logprobs",
        )  # fmt: skip
    if served.release.form.name != "full":
        raise ApiError(
            400, "log-probabilities belong to whole completions, which this key is not served",
            code="logprobs_refused", param="logprobs",
        )  # fmt: skip
