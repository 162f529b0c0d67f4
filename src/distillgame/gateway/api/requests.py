"""What clients send: OpenAI's requests, as far as a defended server takes them.

Fields that could undo a defense are known by name and refused with a reason; fields that change nothing here are
accepted and ignored; all others are refused as unknown.
"""

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

LONGEST_STOP = 256
"""Longest stop string, in characters."""

MOST_COMPLETIONS = 128
"""Most completions of one request, prompts times choices."""

Stop = Annotated[str, StringConstraints(max_length=LONGEST_STOP)]

REFUSED = {
    "logit_bias": "it would tilt the released distribution",
    "echo": "log-probabilities of a prompt are not released",
    "prompt_logprobs": "log-probabilities of a prompt are not released",
    "best_of": "it would choose among completions by their log-probabilities",
    "suffix": "nothing is filled in",
    "tools": "there are no tools",
    "functions": "there are no tools",
    "tool_choice": "there are no tools",
    "function_call": "there are no tools",
    "modalities": "there is text only",
    "audio": "there is text only",
    "prediction": "drafts are the server's own business",
    "top_k": "truncation beyond top_p is not offered",
    "min_p": "truncation beyond top_p is not offered",
    "repetition_penalty": "it would tilt the released distribution",
    "guided_json": "it would tilt the released distribution",
    "guided_regex": "it would tilt the released distribution",
    "guided_choice": "it would tilt the released distribution",
    "allowed_token_ids": "it would tilt the released distribution",
    "bad_words": "it would tilt the released distribution",
    "vllm_xargs": "the policy is the owner's",
    "extra_args": "the policy is the owner's",
}
"""Fields that are refused, and why; a value that asks for nothing (null, false, empty) is let through."""

NEUTRAL: dict[str, Any] = {
    "frequency_penalty": 0,
    "presence_penalty": 0,
    "best_of": 1,
    "repetition_penalty": 1,
    "response_format": {"type": "text"},
    "tool_choice": "none",
    "function_call": "none",
    "modalities": ["text"],
}
"""Values of fields that ask for nothing; other values of these are refused."""

IGNORED = {
    "user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key", "prompt_cache_retention",
    "parallel_tool_calls", "reasoning_effort", "verbosity",
}  # fmt: skip
"""Fields that change nothing here."""


class Part(BaseModel):
    """A part of a message's content; text only."""

    model_config = ConfigDict(extra="forbid")

    type: Literal["text"]
    text: str


EMPTY = {"refusal", "annotations", "audio", "tool_calls", "function_call", "reasoning", "reasoning_content"}
"""Fields of an assistant's message as clients send it back; only where they say nothing."""


class Message(BaseModel):
    """A message; ``name`` is ignored."""

    model_config = ConfigDict(extra="forbid")

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[Part] | None
    name: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _drop(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        kept = {name: value for name, value in data.items() if value or name not in EMPTY}
        if kept.get("role") == "assistant":
            kept.setdefault("content", None)
        return kept

    @model_validator(mode="after")
    def _check(self) -> "Message":
        if self.content is None and self.role != "assistant":
            raise ValueError("content: text is needed")
        return self

    def plain(self) -> dict[str, str]:
        """The message as chat templates read it."""
        parts = [] if self.content is None else self.content
        text = parts if isinstance(parts, str) else "".join(part.text for part in parts)
        return {"role": "system" if self.role == "developer" else self.role, "content": text}


class StreamOptions(BaseModel):
    """What a stream holds besides; ``include_obfuscation`` is ignored."""

    model_config = ConfigDict(extra="forbid")

    include_usage: bool = False
    include_obfuscation: bool | None = None


class Chosen(BaseModel):
    """The policy that a gateway of the owner's asks for; nobody else may."""

    model_config = ConfigDict(extra="forbid")

    policy: str


class Common(BaseModel):
    """What both endpoints take."""

    model_config = ConfigDict(extra="forbid", strict=True)

    model: str
    temperature: float | None = Field(None, ge=0, le=2, allow_inf_nan=False)
    top_p: float | None = Field(None, ge=0, le=1, allow_inf_nan=False)
    n: int | None = Field(None, ge=1, le=128)
    stop: Stop | Annotated[list[Stop], Field(max_length=4)] | None = None
    seed: int | None = Field(None, ge=-(2**63), lt=2**63)
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: int | None = Field(None, ge=1)
    distillgame: Chosen | None = None

    @model_validator(mode="before")
    @classmethod
    def _drop(cls, data: Any) -> Any:
        """Refuse by name what could undo a defense, and drop what changes nothing."""
        if not isinstance(data, dict):
            return data
        try:
            json.dumps(data, ensure_ascii=False).encode()
        except (UnicodeEncodeError, ValueError, TypeError, RecursionError) as error:
            raise ValueError(
                "the body holds what is no text: half of a surrogate pair, or nested too deeply"
            ) from error
        kept = {}
        for name, value in data.items():
            if name in cls.model_fields:
                kept[name] = value
            elif name in IGNORED or not value or (name in NEUTRAL and value == NEUTRAL[name]):
                # An unknown field is refused though it be empty.
                if name not in IGNORED | set(NEUTRAL) | set(REFUSED):
                    kept[name] = value
            elif name in REFUSED:
                raise ValueError(f"'{name}' is refused: {REFUSED[name]}")
            elif name in NEUTRAL:
                raise ValueError(f"'{name}' is refused: it would tilt the released distribution or change its form")
            else:
                kept[name] = value
        return kept

    @property
    def stops(self) -> tuple[str, ...]:
        """Strings that end a completion."""
        given = [self.stop] if isinstance(self.stop, str) else self.stop or []
        return tuple(stop for stop in given if stop)

    @property
    def max_length_given(self) -> bool:
        """Whether a number of tokens is asked for."""
        return self.max_tokens is not None

    @property
    def wants_usage(self) -> bool:
        """Whether a stream ends with its usage."""
        return self.stream_options is not None and self.stream_options.include_usage


class ChatRequest(Common):
    """``POST /v1/chat/completions``."""

    messages: list[Message] = Field(min_length=1, max_length=1024)
    max_completion_tokens: int | None = Field(None, ge=1)
    logprobs: bool | None = None
    top_logprobs: int | None = Field(None, ge=0, le=20)

    @property
    def max_length_given(self) -> bool:
        """Whether a number of tokens is asked for."""
        return self.length is not None

    @property
    def length(self) -> int | None:
        """The number of tokens that is asked for, at most."""
        return self.max_completion_tokens or self.max_tokens

    @property
    def completions(self) -> int:
        """The number of completions that is asked for."""
        return self.n or 1

    @property
    def logprob_count(self) -> int | None:
        """Alternatives a token whose log-probabilities are asked for; None where no log-probabilities are."""
        return (self.top_logprobs or 0) if self.logprobs else None


class CompletionRequest(Common):
    """``POST /v1/completions``; prompts are text."""

    prompt: str | Annotated[list[str], Field(min_length=1, max_length=64)]
    logprobs: int | None = Field(None, ge=0, le=5)

    @property
    def length(self) -> int | None:
        """The number of tokens that is asked for, at most; OpenAI's default is 16."""
        return self.max_tokens or 16

    @property
    def logprob_count(self) -> int | None:
        """Alternatives a token whose log-probabilities are asked for; None where no log-probabilities are."""
        return self.logprobs

    @property
    def completions(self) -> int:
        """The number of completions that is asked for."""
        return (self.n or 1) * len(self.prompts)

    @property
    def prompts(self) -> list[str]:
        """The prompts."""
        return [self.prompt] if isinstance(self.prompt, str) else self.prompt
