"""The backend that samples with another OpenAI-compatible server."""

import asyncio
import json
import os
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import httpx2

from distillgame.errors import DistillgameError
from distillgame.gateway.backends.base import Backend, Job, Piece
from distillgame.gateway.config import ServeConfig, UpstreamSettings
from distillgame.gateway.errors import ApiError, overloaded
from distillgame.gateway.ledger import NOTHING, Charge

REASONS = {"stop": "stop", "length": "length"}
"""Finish reasons that are passed on; others become ``stop``."""

PREFIX = "distillgame_"
"""Prefix of each name in the extra argument."""


class UpstreamBackend(Backend):
    """Streams each completion from another server, with the policy's strength in a field that clients cannot set.

    Args:
        config: The owner's configuration.
        upstream: The server.
    """

    def __init__(self, config: ServeConfig, upstream: UpstreamSettings):
        self._config, self._upstream = config, upstream
        self._running = 0
        self._most = config.engine.batch_size + config.engine.queue
        self._state: str | None = "the upstream was not asked yet"
        headers = {}
        if upstream.api_key_env is not None:
            key = os.environ.get(upstream.api_key_env)
            if not key:
                raise DistillgameError(f"upstream.api_key_env: the environment has no '{upstream.api_key_env}'")
            headers["Authorization"] = f"Bearer {key}"
        # No proxies from the environment and no redirects: prompts go where the owner said and nowhere else.
        self._client = httpx2.AsyncClient(
            base_url=upstream.url.rstrip("/") + "/", headers=headers, trust_env=False,
            timeout=httpx2.Timeout(upstream.timeout, connect=10), limits=httpx2.Limits(max_connections=None),
        )  # fmt: skip

    async def start(self) -> None:
        """Check that the server is there and has the model."""
        url = self._upstream.url
        try:
            response = await self._client.get("models")
            response.raise_for_status()
            entries = response.json()["data"]
            known = [entry["id"] for entry in entries]
        except (httpx2.HTTPError, ValueError, KeyError, TypeError) as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            hint = "" if self._upstream.api_key_env else " (its key is named by 'upstream.api_key_env')"
            raise DistillgameError(f"upstream: {url}: its models cannot be listed{hint}: {reason[:120]}") from error
        if self._model not in known:
            raise DistillgameError(
                f"upstream: {url} serves {', '.join(map(str, known))[:200]}, not '{self._model}': name 'upstream.model'"
            )
        if not self._upstream.measured and any(entry.get("owned_by") == "distillgame" for entry in entries):
            raise DistillgameError(
                f"upstream: {url} is a distillgame server: say 'upstream.measured: true', and name a key of a tier "
                "there that has 'gateway: true' by 'upstream.api_key_env'"
            )
        self._state = None

    async def run(self, job: Job) -> AsyncGenerator[Piece, None]:
        """Stream one completion."""
        if self._running >= self._most:
            raise overloaded("the queue is full")
        self._running += 1
        try:
            async with self._client.stream("POST", self._path(job), json=self._body(job)) as response:
                if response.status_code != 200:
                    raise _refusal(response.status_code, await response.aread(), response.headers)
                async for piece in self._pieces(job, response.aiter_lines()):
                    yield piece
        except httpx2.HTTPError as error:
            raise ApiError(502, f"the upstream failed: {type(error).__name__}", code="upstream_failed") from error
        finally:
            self._running -= 1

    def problem(self) -> str | None:
        """Return why nothing can be served."""
        return self._state

    def load(self) -> tuple[int, int]:
        """Return the number of completions that are being streamed, and its limit."""
        return self._running, self._most

    async def failed(self) -> None:
        """Wait forever: an upstream may come back."""
        await asyncio.Event().wait()

    async def close(self) -> None:
        """Close all connections."""
        self._state = "the server is stopping"
        await self._client.aclose()

    @property
    def _model(self) -> str:
        return self._upstream.model or self._config.model

    def _path(self, job: Job) -> str:
        return "completions" if job.prompt is not None else "chat/completions"

    def _body(self, job: Job) -> dict[str, Any]:
        release = self._config.served(job.policy).release
        strength = {f"{PREFIX}{name}": value for name, value in release.options.items()}
        params = job.params
        asked = {"prompt": job.prompt} if job.prompt is not None else {"messages": list(job.messages)}
        body: dict[str, Any] = {
            **asked,
            "model": self._model,
            "temperature": params.temperature,
            "top_p": params.top_p,
            "max_tokens": params.max_new_tokens,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if job.template:
            body["chat_template_kwargs"] = job.template
        if params.stop:
            body["stop"] = list(params.stop)
        if job.seed is not None:
            # The same seed under another temperature would reuse the random numbers (api.jobs.stream_key).
            body["seed"] = int(job.stream[:8], 16)
        if self._upstream.measured:
            body["distillgame"] = {"policy": job.policy}
        else:
            body[self._upstream.argument] = {f"{PREFIX}policy": release.name} | strength
        return body

    async def _pieces(self, job: Job, lines: AsyncIterator[str]) -> AsyncGenerator[Piece, None]:
        """Yield the pieces of a stream; the last corrects the charge by the usage, if the server reports it."""
        unsent = sent = NOTHING
        usage: dict[str, Any] = {}
        finish, held, done = None, "", False
        async for line in lines:
            if not line.startswith("data:"):
                continue
            if done := line[5:].strip() == "[DONE]":
                continue
            chunk = _parsed(line[5:])
            usage = chunk.get("usage") or usage
            for choice in chunk.get("choices") or ():
                text = _text(choice)
                finish = (
                    REASONS.get(str(choice.get("finish_reason")), "stop") if choice.get("finish_reason") else finish
                )
                unsent += self._cost(chunk, text, job.params.max_new_tokens - sent.tokens - unsent.tokens)
                held += text
                if job.pieces and held:
                    yield Piece(held, unsent)
                    held, sent, unsent = "", sent + unsent, NOTHING
        if finish is None and not done:
            raise ApiError(502, "the upstream ended a stream too early", code="upstream_failed")
        if isinstance(usage.get("completion_tokens"), int) and not self._upstream.measured:
            # So far an upper bound was charged; now the number of tokens is known.
            unsent = Charge(usage["completion_tokens"] - sent.tokens, None, None)
        prompt = usage.get("prompt_tokens")
        yield Piece(held, unsent, prompt if isinstance(prompt, int) else 0, (), finish or "stop")

    def _cost(self, chunk: dict[str, Any], text: str, left: int) -> Charge:
        """Return the cost of a chunk: what a distillgame server reports, or an upper bound on its tokens."""
        if not self._upstream.measured:
            # A token has at least one byte. Servers rarely say how many tokens a chunk holds.
            return Charge(min(len(text.encode()), left), None, None)
        cost = Charge.from_report(chunk.get("distillgame"))
        if cost is None and text:
            raise ApiError(502, "the upstream does not report what it releases", code="upstream_unmeasured")
        return cost or NOTHING


def _parsed(data: str) -> dict[str, Any]:
    try:
        chunk = json.loads(data)
    except ValueError as error:
        raise ApiError(502, "the upstream sent a chunk that is not JSON", code="upstream_failed") from error
    if not isinstance(chunk, dict):
        raise ApiError(502, "the upstream sent a chunk that is no object", code="upstream_failed")
    if isinstance(chunk.get("error"), dict):
        raise ApiError(502, "the upstream failed in the middle of a stream", code="upstream_failed")
    return chunk


def _text(choice: dict[str, Any]) -> str:
    said = choice.get("delta")
    text = said.get("content") if isinstance(said, dict) else choice.get("text")
    return text if isinstance(text, str) else ""


def _refusal(status: int, body: bytes, headers: Any) -> ApiError:
    """Translate an upstream's refusal: the client's request may be at fault, or the gateway's own key or rate."""
    try:
        message = str(json.loads(body)["error"]["message"])[:300]
    except (ValueError, KeyError, TypeError):
        message = f"the upstream answered {status}"
    if status in (400, 413, 422):
        return ApiError(400, message, code="upstream_refused")
    if status in (429, 503):
        wait = headers.get("retry-after", "1")
        return overloaded("the upstream is busy", int(wait) if wait.isdigit() else 1)
    return ApiError(502, f"the upstream answered {status}", code="upstream_failed")
