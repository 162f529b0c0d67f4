"""OpenAI's requests, as far as a defended server accepts them."""

import json
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from distillgame.gateway.api.fields import checked_fields, without
from distillgame.gateway.api.messages import Message, monitored_text

LONGEST_STOP = 256
"""Longest stop string, in characters."""

MOST_COMPLETIONS = 128
"""Most completions per request, over all prompts."""

Stop = Annotated[str, StringConstraints(max_length=LONGEST_STOP)]

TemplateValue = bool | int | float | Annotated[str, StringConstraints(max_length=256)] | None
"""A value that a chat template may read."""

Tokens = Annotated[list[Annotated[int, Field(ge=0, lt=2**31)]], Field(min_length=1)]
"""A prompt as token ids."""

Prompt = str | tuple[int, ...]
"""A prompt of a completion: text or the teacher's token ids."""


class StreamOptions(BaseModel):
    """Options of a stream; ``include_obfuscation`` and ``continuous_usage_stats`` are ignored."""

    model_config = ConfigDict(extra="forbid")

    include_usage: bool | None = None

    @model_validator(mode="before")
    @classmethod
    def _drop(cls, data: Any) -> Any:
        return without(data, {"include_obfuscation", "continuous_usage_stats"}, set(cls.model_fields))


class Chosen(BaseModel):
    """The policy that the owner's own gateway requests; nobody else may."""

    model_config = ConfigDict(extra="forbid")

    policy: str


class CommonFields(BaseModel):
    """The fields of both endpoints."""

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
        """Refuse fields that could undo a defense, and drop fields without effect."""
        if not isinstance(data, dict):
            return data
        try:
            json.dumps(data, ensure_ascii=False).encode()
        except (UnicodeEncodeError, ValueError, TypeError, RecursionError) as error:
            raise ValueError(
                "the body holds what is no text: half of a surrogate pair, or nested too deeply"
            ) from error
        return checked_fields(data, {name: field.is_required() for name, field in cls.model_fields.items()})

    @property
    def stops(self) -> tuple[str, ...]:
        """The strings that end a completion."""
        given = [self.stop] if isinstance(self.stop, str) else self.stop or []
        return tuple(stop for stop in given if stop)

    @property
    def max_length_given(self) -> bool:
        """True if the client gives a number of tokens."""
        return self.max_tokens is not None

    @property
    def wants_usage(self) -> bool:
        """True if the stream has to end with its usage."""
        return self.stream_options is not None and bool(self.stream_options.include_usage)


class ChatRequest(CommonFields):
    """``POST /v1/chat/completions``."""

    endpoint: ClassVar[str] = "chat"

    messages: list[Message] = Field(min_length=1, max_length=1024)
    max_completion_tokens: int | None = Field(None, ge=1)
    logprobs: bool | None = None
    top_logprobs: int | None = Field(None, ge=0, le=20)
    chat_template_kwargs: dict[str, TemplateValue] | None = None

    @property
    def max_length_given(self) -> bool:
        """True if the client gives a number of tokens."""
        return self.length is not None

    @property
    def length(self) -> int | None:
        """Most tokens per completion, if the client gives a number."""
        return self.max_completion_tokens or self.max_tokens

    @property
    def completions(self) -> int:
        """The number of requested completions."""
        return self.n or 1

    @property
    def logprob_count(self) -> int | None:
        """Requested alternatives per token with their log-probabilities; None if no log-probabilities are requested."""
        return (self.top_logprobs or 0) if self.logprobs else None

    @property
    def conversation(self) -> tuple[dict[str, str], ...]:
        """The messages in the form that chat templates read."""
        return tuple(message.plain() for message in self.messages)

    @property
    def prompts(self) -> list[Prompt | None]:
        """One entry per prompt: None, because a conversation has messages instead."""
        return [None]

    @property
    def client_texts(self) -> list[str]:
        """The texts that the campaign monitor reads (:func:`.monitored_text`)."""
        return [monitored_text(self.conversation)]


class CompletionRequest(CommonFields):
    """``POST /v1/completions``; prompts are text or the teacher's token ids."""

    endpoint: ClassVar[str] = "completions"

    prompt: (
        str
        | Annotated[list[str], Field(min_length=1, max_length=64)]
        | Tokens
        | Annotated[list[Tokens], Field(min_length=1, max_length=64)]
    )
    logprobs: int | None = Field(None, ge=0, le=5)

    @property
    def length(self) -> int | None:
        """Most tokens per completion; OpenAI's default is 16."""
        return self.max_tokens or 16

    @property
    def logprob_count(self) -> int | None:
        """Requested alternatives per token with their log-probabilities; None if no log-probabilities are requested."""
        return self.logprobs

    @property
    def completions(self) -> int:
        """The number of requested completions."""
        return (self.n or 1) * len(self.prompts)

    @property
    def conversation(self) -> tuple[dict[str, str], ...]:
        """Empty: there are prompts instead."""
        return ()

    @property
    def prompts(self) -> list[Prompt | None]:
        """The prompts: texts, or tuples of token ids."""
        given: Any = self.prompt
        several = isinstance(given, list) and not isinstance(given[0], int)
        return [prompt if isinstance(prompt, str) else tuple(prompt) for prompt in (given if several else [given])]

    @property
    def client_texts(self) -> list[str]:
        """The texts that the campaign monitor reads: the prompts that are text."""
        return [prompt for prompt in self.prompts if isinstance(prompt, str)]


ApiRequest = ChatRequest | CompletionRequest
"""A request for completions."""
