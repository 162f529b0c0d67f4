"""From a client's request to jobs, within what the policy allows."""

import hashlib
import hmac
import json
from dataclasses import dataclass

from distillgame.decoding import SamplingParams
from distillgame.gateway.api.requests import ApiRequest, ChatRequest
from distillgame.gateway.backends import Job, JobMark
from distillgame.gateway.config import ServeConfig, ServedPolicy, is_markable
from distillgame.gateway.errors import ApiError
from distillgame.gateway.ids import unique_id

GREEDY_BELOW = 0.01
"""Lower temperatures become 0 if that is allowed: logits divided by them would overflow."""

SMALLEST_TOP_P = 1e-6
"""The value that a ``top_p`` of 0 becomes, so that the likeliest token alone remains."""


@dataclass(frozen=True)
class JobPlan:
    """The jobs of a request under a policy.

    Attributes:
        jobs: Its completions, in the order of their indices.
        clamped: Names of the fields that the policy did not allow as they were.
        marked: Whether its completions carry a mark: all of them do, or none.
    """

    jobs: list[Job]
    clamped: list[str]
    marked: bool = False

    @property
    def most_tokens(self) -> int:
        """The sum of the jobs' maximum lengths."""
        return sum(self.lengths)

    @property
    def lengths(self) -> list[int]:
        """Most tokens of each job."""
        return [job.params.max_new_tokens for job in self.jobs]


def plan_jobs(
    request: ApiRequest, served: ServedPolicy, config: ServeConfig, secret: bytes, mark: JobMark | None = None
) -> JobPlan:
    """Turn a request into jobs.

    Args:
        request: The request.
        served: The policy under which it is served.
        config: The owner's configuration.
        secret: Key of the random streams.
        mark: The mark of the key's owner, unless the policy's form releases other text than was sampled.

    Raises:
        ApiError: 400, if it requests log-probabilities that the policy does not show, too many completions, or names
            of the chat template that are the owner's.
    """
    choices = request.n or 1
    if choices > served.choices:
        raise ApiError(400, f"at most {served.choices} choices are served", code="too_many_choices", param="n")
    _check_logprobs(request, served, config)
    params, clamped = clamp(request, served, config.temperature)
    template = _template(request, config)
    mark = mark if is_markable(served) else None
    # A form is derived from the whole completion, so that nothing is sent before its end.
    streams = bool(request.stream) and served.whole
    messages = request.conversation
    jobs = []
    for prompt in request.prompts:
        for choice in range(choices):
            facts: dict[str, object] = {
                "messages": messages,
                **({"template": template} if template else {}),
                "prompt": prompt,
                "choice": choice,
                "seed": request.seed,
                "policy": served.release.model_dump(),
                "temperature": params.temperature,
                "top_p": params.top_p,
                **({"mark": mark.key.hex()} if mark is not None else {}),
            }
            jobs.append(
                Job(
                    policy=served.name,
                    stream=unique_id() if request.seed is None else stream_key(secret, facts),
                    params=params,
                    messages=messages,
                    prompt=prompt,
                    template=template,
                    logprobs=request.logprob_count is not None,
                    seed=request.seed,
                    pieces=config.server.stream_tokens if streams else 0,
                    mark=mark,
                )
            )
    # No mark moves the likeliest token.
    return JobPlan(jobs, clamped, marked=mark is not None and params.temperature > 0)


def clamp(request: ApiRequest, served: ServedPolicy, reference: float) -> tuple[SamplingParams, list[str]]:
    """Return the allowed parameters that are closest to the requested ones, and the names of those that differ.

    Args:
        request: The request.
        served: The policy.
        reference: The teacher's own temperature, which is the default.
    """
    clamped = []
    temperature = served.temperature.clamp(reference if request.temperature is None else request.temperature)
    if request.temperature is not None and temperature != request.temperature:
        clamped.append("temperature")
    if temperature < GREEDY_BELOW:
        temperature = 0.0 if served.temperature.low == 0 else max(temperature, served.temperature.low)
    top_p = served.top_p.clamp(1.0 if request.top_p is None else request.top_p)
    if request.top_p is not None and top_p != request.top_p:
        clamped.append("top_p")
    wanted, stops = request.length or served.max_tokens, request.stops
    if not served.whole:
        # If a form hides the reasoning, cutting the completion elsewhere would reveal it piece by piece.
        clamped += ["stop"] if stops else []
        wanted, stops = served.max_tokens, ()
    length = min(wanted, served.max_tokens)
    if request.max_length_given and length != request.length:
        clamped.append("max_tokens")
    params = SamplingParams(
        temperature=temperature,
        top_p=max(top_p, SMALLEST_TOP_P),
        max_new_tokens=length,
        stop=stops,
        top_logprobs=request.logprob_count or 0,
    )
    return params, clamped


def stream_key(secret: bytes, facts: dict[str, object]) -> str:
    """Return the name of a random stream: a keyed hash of everything on which the distribution and the draw depend.

    Draws that differ in any of it, temperature included, share no randomness. Nobody without the secret knows the
    random numbers of a token, which would reveal where the cumulative sums of the released distribution lie. Length and
    stop strings are left out: they only cut the same draw elsewhere.

    Args:
        secret: The key.
        facts: The request, the choice and the policy's parameters, as JSON.
    """
    text = json.dumps(facts, sort_keys=True, ensure_ascii=True)
    return hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()


def _template(request: ApiRequest, config: ServeConfig) -> dict[str, object]:
    """Return what the client tells the chat template, as far as the owner lets clients name it."""
    told: dict[str, object] = {}
    if isinstance(request, ChatRequest) and request.chat_template_kwargs:
        told = {name: value for name, value in request.chat_template_kwargs.items() if value is not None}
    for name in told:
        if name not in config.chat_template_kwargs:
            allowed = ", ".join(f"'{known}'" for known in config.chat_template_kwargs) or "none"
            raise ApiError(
                400, f"'chat_template_kwargs.{name[:100]}' is refused: the owner lets clients set {allowed}",
                code="invalid_request", param="chat_template_kwargs",
            )  # fmt: skip
    return told


def _check_logprobs(request: ApiRequest, served: ServedPolicy, config: ServeConfig) -> None:
    count = request.logprob_count
    if count is None:
        return
    if served.logprobs is None or config.upstream is not None:
        raise ApiError(
            400, "log-probabilities are not released under this key's policy", code="logprobs_refused", param="logprobs"
        )
    if count > served.logprobs:
        raise ApiError(
            400, f"at most {served.logprobs} alternatives a token are shown", code="logprobs_refused",
            param="top_logprobs" if isinstance(request, ChatRequest) else "logprobs",
        )  # fmt: skip
    if not served.whole:
        raise ApiError(
            400, "log-probabilities belong to whole completions, which this key is not served",
            code="logprobs_refused", param="logprobs",
        )  # fmt: skip
