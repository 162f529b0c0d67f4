"""A judging model, asked through inspect_ai: one call at a time, repeated while the way to it fails."""

import asyncio
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from distillgame.errors import DistillgameError
from distillgame.judges.rubric.answers import REFUSED, TRUNCATED, Answer
from distillgame.judges.rubric.prompts import Prompt

if TYPE_CHECKING:
    from inspect_ai.model import ChatMessage, GenerateConfig, Model, ModelOutput

LONGEST_WAIT = 600.0
"""Seconds; a server that asks for more patience has failed."""

_FIRST_WAIT = 0.5

_MARKUP = re.compile(r"\[/?(?:bold|italic|blue|red|green|yellow)\]")
"""What inspect_ai writes into its messages for terminals."""


@dataclass(frozen=True)
class Settings:
    """A model, and the way in which it is asked.

    Attributes:
        model: The model, as inspect_ai names it.
        base_url: The address of its endpoint; the provider's own if None.
        api_key_env: Name of the environment variable that holds the key; None for the provider's usual one, or for no
            key if there is a ``base_url``.
        temperature: Temperature; None leaves it to the provider.
        answer_tokens: Most tokens of an answer.
        structured: True if the model's structured output is used where it has one.
        timeout: Seconds until an answer must be there.
        attempts: How often a call is tried that fails on the way.
    """

    model: str
    base_url: str | None
    api_key_env: str | None
    temperature: float | None
    answer_tokens: int
    structured: bool
    timeout: float
    attempts: int

    @property
    def place(self) -> str:
        """The model and its address, for messages."""
        return self.model if self.base_url is None else f"{self.model} at {self.base_url}"


class Caller:
    """A model that can be asked; see :func:`connected`."""

    def __init__(self, settings: Settings, model: "Model"):
        self._settings = settings
        self._model = model
        self._structured = settings.structured

    async def ask(self, prompt: Prompt) -> Answer:
        """Return the answer to one call.

        Raises:
            DistillgameError: If the model cannot be reached, or refuses the call as such.
        """
        for attempt in range(self._settings.attempts):
            try:
                output = await self._generate(prompt)
            except TimeoutError:
                reason, wait = f"no answer within {self._settings.timeout:g} seconds", 0.0
            except Exception as error:  # Each provider raises errors of its own.
                cause = _cause(error)
                reason, told = self._safe(_reason(cause)), self._patience(cause)
                if told is None or told > LONGEST_WAIT:
                    break
                wait = told
            else:
                return self._answer(output)
            if attempt + 1 < self._settings.attempts:
                await asyncio.sleep(max(wait, _FIRST_WAIT * 2**attempt))
        raise DistillgameError(f"judge 'rubric': model {self._settings.place}: {reason}")

    async def _generate(self, prompt: Prompt) -> "ModelOutput":
        from inspect_ai.model import ChatMessageSystem, ChatMessageUser

        messages: list[ChatMessage] = [ChatMessageSystem(content=prompt.system), ChatMessageUser(content=prompt.user)]
        structured = self._structured
        try:
            async with asyncio.timeout(self._settings.timeout):
                return await self._model.generate(messages, config=self._config(prompt, structured))
        except Exception as error:
            # Some servers refuse calls that ask for structured output; the prompt describes the format as well.
            if not structured or getattr(_cause(error), "status_code", None) not in (400, 422):
                raise
        async with asyncio.timeout(self._settings.timeout):
            output = await self._model.generate(messages, config=self._config(prompt, structured=False))
        self._structured = False
        return output

    def _config(self, prompt: Prompt, structured: bool) -> "GenerateConfig":
        from inspect_ai.model import GenerateConfig, ResponseSchema
        from inspect_ai.util import JSONSchema

        properties = {
            "reason": JSONSchema(type="string"),
            "level": JSONSchema(type="integer", enum=sorted(prompt.levels)),
        }
        schema = JSONSchema(type="object", properties=properties, required=list(properties), additionalProperties=False)
        form = ResponseSchema(name="verdict", json_schema=schema, description="A reason and a level.", strict=True)
        return GenerateConfig(
            temperature=self._settings.temperature,
            max_tokens=self._settings.answer_tokens,
            seed=prompt.seed,
            response_schema=form if structured else None,
            # The judge counts its own calls; repetitions are here, where Retry-After is known.
            max_retries=0,
            max_connections=10**6,
        )

    def _answer(self, output: "ModelOutput") -> Answer:
        if output.empty:
            raise DistillgameError(f"judge 'rubric': model {self._settings.place}: answered something else than a text")
        usage, content = output.usage, output.message.content
        refused = output.stop_reason == "content_filter" or (
            not isinstance(content, str) and any(getattr(part, "refusal", None) for part in content)
        )
        cut = output.stop_reason in ("max_tokens", "model_length")
        read = wrote = 0
        if usage is not None:
            read = usage.input_tokens + (usage.input_tokens_cache_read or 0) + (usage.input_tokens_cache_write or 0)
            wrote = usage.output_tokens
        return Answer(output.completion, REFUSED if refused else TRUNCATED if cut else "stop", read, wrote)

    def _patience(self, error: Exception) -> float | None:
        """Return the seconds that a server wants to be left alone; None if a repetition would be in vain."""
        decision = self._model.api.should_retry(error)
        return float(getattr(decision, "retry_after", None) or 0.0) if decision else None

    def _safe(self, text: str) -> str:
        # Some servers repeat the key that they do not accept.
        token = getattr(getattr(self._model.api, "client", None), "auth_token", None)
        for secret in (self._model.api.api_key, token):
            text = text.replace(secret, "***") if secret and len(secret) > 4 else text
        return text


@asynccontextmanager
async def connected(settings: Settings) -> AsyncIterator[Caller]:
    """A caller of a model, to be used in one event loop.

    Raises:
        DistillgameError: If inspect_ai, the provider's library or the key is missing, or if there is no such model.
    """
    model = _model(settings)
    async with model:
        yield Caller(settings, model)


def _model(settings: Settings) -> "Model":
    try:
        from inspect_ai.model import get_model
    except ImportError as error:
        raise DistillgameError(
            "judge 'rubric': models are asked through the library 'inspect_ai': pip install 'distillgame[judge]'"
        ) from error
    key = _key(settings)
    try:
        model = get_model(settings.model, base_url=settings.base_url, api_key=key, memoize=False)
    except Exception as error:  # Each provider checks its environment in its own way.
        raise DistillgameError(f"judge 'rubric': model {settings.place}: {_line(error)}") from error
    client: Any = getattr(model.api, "client", None)
    if hasattr(client, "max_retries"):
        client.max_retries = 0  # Its waits would count against the timeout of one attempt.
    if key is not None and getattr(client, "auth_token", None) is not None:
        # Anthropic's takes a token from the environment before the key that it is given, whatever the address.
        client.api_key, client.auth_token = key, None
    return model


def _key(settings: Settings) -> str | None:
    if settings.api_key_env is None:
        # Without one, the provider's own key would be looked for, and sent to somebody else.
        return None if settings.base_url is None else "none"
    key = os.environ.get(settings.api_key_env)
    if not key:
        raise DistillgameError(f"judge 'rubric': the environment has no '{settings.api_key_env}' (api_key_env)")
    return key


def _cause(error: Exception) -> Exception:
    """Return the error that a loop of repetitions gave up with."""
    last = getattr(error, "last_attempt", None)
    inner = None if last is None else last.exception()
    return inner if isinstance(inner, Exception) else error


def _reason(error: Exception) -> str:
    status = getattr(error, "status_code", None)
    said = _line(getattr(error, "provider_message", None) or error)
    if isinstance(error, ValueError | TypeError | LookupError | AttributeError):
        return f"answered something else than a completion ({said.split(' For further information')[0]})"
    return f"answered {status}: {said}" if status is not None else said or type(error).__name__


def _line(text: object) -> str:
    return " ".join(_MARKUP.sub("", str(text)).split())[:300]
