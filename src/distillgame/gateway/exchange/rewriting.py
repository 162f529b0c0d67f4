"""The rewriting of finished completions by another model, before they are released."""

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from distillgame.decoding import Request, SamplingParams
from distillgame.errors import DistillgameError
from distillgame.gateway.backends import Job
from distillgame.gateway.config import ServeConfig
from distillgame.gateway.errors import ApiError
from distillgame.gateway.telemetry import Metrics
from distillgame.models import Endpoint
from distillgame.policies.forms import WrittenForm
from distillgame.seeding import derive_seed
from distillgame.tasks import Notation
from distillgame.writers import EndpointWriter

if TYPE_CHECKING:
    from openai import AsyncOpenAI

NOTATION = Notation()
"""How answers are written that a form releases apart from the completion, and how rewritings are asked for."""


class Rewriting:
    """The rewriting of all completions under one policy.

    Args:
        policy: The policy's name.
        form: Its form.
        endpoint: The endpoint that writes.
        temperature: The temperature at which it does.
        metrics: Count what it reads and writes.

    Raises:
        DistillgameError: If the endpoint's key or the library for endpoints is missing.
    """

    def __init__(self, policy: str, form: WrittenForm, endpoint: Endpoint, temperature: float, metrics: Metrics):
        self._policy, self._form, self._temperature = policy, form, temperature
        self._writer = EndpointWriter(endpoint)
        self._client: AsyncOpenAI = self._writer.client()
        self._metrics = metrics

    async def release(self, job: Job, completion: str) -> str:
        """Return the text that is released.

        Args:
            job: The job whose completion it is.
            completion: The completion.

        Raises:
            ApiError: 502, if the endpoint fails.
        """
        asked = self._form.ask(_conversation(job), completion, NOTATION)
        params = SamplingParams(temperature=self._temperature, max_new_tokens=job.params.max_new_tokens)
        for place in range(self._form.tries):
            request = Request(job.stream, asked)
            try:
                written = await self._writer.ask(self._client, request, params, derive_seed("rewriting", place))
            except DistillgameError as error:
                raise ApiError(502, "the completion could not be rewritten", code="rewriter_failed") from error
            self._metrics.rewriting.labels(self._policy, "read").inc(written.prompt_tokens)
            self._metrics.rewriting.labels(self._policy, "written").inc(written.tokens)
            # Comparing answers may take computer algebra, and other requests must not wait for it.
            if written.finish_reason == "stop" and await asyncio.to_thread(
                self._form.accepts, completion, written.text
            ):
                return self._form.choose(completion, written.text, NOTATION)
        return self._form.choose(completion, None, NOTATION)

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()


class Rewritings:
    """The rewritings of all policies whose form another model writes.

    Args:
        config: The owner's configuration.
        metrics: Count what is read and written.

    Raises:
        DistillgameError: If an endpoint's key or the library for endpoints is missing.
    """

    def __init__(self, config: ServeConfig, metrics: Metrics):
        self._known: dict[str, Rewriting] = {}
        for name in config.policies:
            form = config.served(name).form
            if isinstance(form, WrittenForm) and isinstance(form.writer, Endpoint):
                self._known[name] = Rewriting(name, form, form.writer, config.temperature, metrics)

    def of(self, policy: str) -> Rewriting | None:
        """Return the rewriting under a policy; None if its completions are not rewritten.

        Args:
            policy: The policy's name.
        """
        return self._known.get(policy)

    async def close(self) -> None:
        """Close all connections."""
        async with AsyncExitStack() as stack:
            for rewriting in self._known.values():
                stack.push_async_callback(rewriting.close)


def _conversation(job: Job) -> list[dict[str, str]]:
    if job.messages:
        return list(job.messages)
    # The text behind token ids is known to the engine alone.
    return [{"role": "user", "content": job.prompt if isinstance(job.prompt, str) else ""}]
