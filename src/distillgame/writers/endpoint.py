"""A writer behind an OpenAI-compatible endpoint, asked through OpenAI's own client library."""

import asyncio
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from distillgame.decoding import Request, SamplingParams
from distillgame.errors import DistillgameError
from distillgame.models import Endpoint
from distillgame.seeding import derive_seed
from distillgame.writers.base import Progress, Writer, Written
from distillgame.writers.journal import Journal

if TYPE_CHECKING:
    from openai import AsyncOpenAI

MOST_SEEDS = 2**31
"""Seeds are below this: some servers store them in 32 bits."""


class EndpointWriter(Writer):
    """A model behind an endpoint.

    Args:
        endpoint: The endpoint.
        journal: Keeps the answers of a stage, so that a killed one goes on where it stopped.

    Raises:
        DistillgameError: If the client library or the key is missing.
    """

    def __init__(self, endpoint: Endpoint, journal: Journal[Written] | None = None):
        self.endpoint = endpoint
        self._journal = journal
        self._key = _key(endpoint)
        _require_library()

    def write(
        self, requests: Sequence[Request], params: SamplingParams, seed: int, progress: Progress | None = None
    ) -> list[Written]:
        """Return one text per request, several being asked at once."""
        return asyncio.run(self._write(requests, params, seed, progress))

    async def ask(self, client: "AsyncOpenAI", request: Request, params: SamplingParams, seed: int) -> Written:
        """Return the text of one request.

        Args:
            client: From :meth:`client`.
            request: The request.
            params: Its sampling parameters.
            seed: Seed of its random stream.

        Raises:
            DistillgameError: If the endpoint cannot be reached, refuses the request, or answers nonsense.
        """
        from openai import OpenAIError

        body = self._body(request, params, seed)
        known = None if self._journal is None else self._journal.find(body)
        if known is not None:
            return known
        try:
            answer = await client.post("/chat/completions", body=body, cast_to=object)
        except OpenAIError as error:
            raise DistillgameError(f"endpoint {self.endpoint.endpoint}: {_reason(error)}") from error
        except ValueError:
            answer = None  # It is not JSON.
        written = _written(answer)
        if written is None:
            raise DistillgameError(f"endpoint {self.endpoint.endpoint}: answered something else than a completion")
        if self._journal is not None:
            self._journal.add(body, written)
        return written

    def client(self) -> "AsyncOpenAI":
        """Return a client of the endpoint, to be closed after use."""
        from openai import AsyncOpenAI

        return AsyncOpenAI(
            # Without a key the library would look for one in the environment, which belongs to another service.
            api_key=self._key or "none",
            base_url=self.endpoint.endpoint,
            organization="",
            project="",
            timeout=self.endpoint.timeout,
            max_retries=self.endpoint.retries,
        )

    async def _write(
        self, requests: Sequence[Request], params: SamplingParams, seed: int, progress: Progress | None
    ) -> list[Written]:
        places, done = asyncio.Semaphore(self.endpoint.concurrency), 0

        async def one(client: "AsyncOpenAI", request: Request) -> Written:
            nonlocal done
            async with places:
                written = await self.ask(client, request, params, seed)
            done += 1
            if progress is not None:
                progress(done, len(requests))
            return written

        try:
            async with self.client() as client, asyncio.TaskGroup() as group:
                tasks = [group.create_task(one(client, request)) for request in requests]
        except* DistillgameError as errors:
            raise errors.exceptions[0] from None
        return [task.result() for task in tasks]

    def _body(self, request: Request, params: SamplingParams, seed: int) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self.endpoint.model,
            "messages": request.messages,
            "temperature": params.temperature,
            "top_p": params.top_p,
            "max_tokens": params.max_new_tokens,
            "seed": derive_seed(seed, request.id) % MOST_SEEDS,
        }
        if params.stop:
            body["stop"] = list(params.stop)
        return {name: value for name, value in (body | self.endpoint.extra).items() if value is not None}


def _written(answer: Any) -> Written | None:
    """Return the text in a response; None if it is no completion."""
    try:
        choice, usage = answer["choices"][0], answer.get("usage") or {}
        text, finish = choice["message"].get("content") or "", choice.get("finish_reason") or "stop"
        read, wrote = int(usage.get("prompt_tokens") or 0), int(usage.get("completion_tokens") or 0)
    except (KeyError, IndexError, TypeError, AttributeError, ValueError):
        return None
    return Written(text, str(finish), read, wrote) if isinstance(text, str) else None


def _reason(error: Exception) -> str:
    """Return what went wrong, in the server's own words where it has some."""
    response = getattr(error, "response", None)
    if response is None:
        return " ".join(str(error).split())[:300] or type(error).__name__
    said = getattr(error, "body", None)
    said = said.get("message", said) if isinstance(said, dict) else said or response.text
    return f"answered {response.status_code}: {' '.join(str(said).split())[:300]}"


def _key(endpoint: Endpoint) -> str | None:
    if endpoint.api_key_env is None:
        return None
    key = os.environ.get(endpoint.api_key_env)
    if not key:
        raise DistillgameError(
            f"endpoint {endpoint.endpoint}: the environment has no '{endpoint.api_key_env}' (api_key_env)"
        )
    return key


def _require_library() -> None:
    try:
        import openai  # noqa: F401
    except ImportError as error:
        raise DistillgameError(
            "endpoints are asked through the library 'openai': pip install 'distillgame[endpoints]'"
        ) from error
