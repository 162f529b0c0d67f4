"""The backend that samples with another OpenAI-compatible server."""

import asyncio
import codecs
import json
import os
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import httpx2

from distillgame.errors import DistillgameError
from distillgame.gateway.backends.base import Backend, Job, Piece
from distillgame.gateway.backends.bounds import TokenBounds
from distillgame.gateway.backends.chunks import Chunk, failed, read_chunks, worse
from distillgame.gateway.config import ServeConfig, UpstreamSettings
from distillgame.gateway.errors import ApiError, overloaded
from distillgame.gateway.ledger import NOTHING, Charge
from distillgame.vllm import POLICY, PREFIX, SECRET


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
        if (key := _from_environment("api_key_env", upstream.api_key_env)) is not None:
            headers["Authorization"] = f"Bearer {key}"
        secret = _from_environment("secret_env", upstream.secret_env)
        self._proof = {} if secret is None else {SECRET: secret}
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
                async with aclosing(self._pieces(job, response)) as pieces:
                    async for piece in pieces:
                        yield piece
        except httpx2.HTTPError as error:
            raise failed(f"failed: {type(error).__name__}") from error
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
            body[self._upstream.argument] = {POLICY: release.name} | strength | self._proof
        return body

    async def _pieces(self, job: Job, response: httpx2.Response) -> AsyncGenerator[Piece, None]:
        """Yield the pieces of a stream; the last corrects the charge by the usage, if the server reports it."""
        bounds = TokenBounds(job.params.max_new_tokens)
        joined = codecs.getincrementaldecoder("utf-16-le")("replace")
        unsent = sent = NOTHING
        finish, held, tokens, prompt_tokens = None, "", None, 0
        async with aclosing(read_chunks(response)) as chunks:
            async for found in chunks:
                # A whole completion after its pieces repeats them.
                chunk = replace(found, text="", hidden="") if found.whole and bounds.most else found
                # Servers that count in UTF-16 split characters over chunks.
                text = joined.decode(chunk.text.encode("utf-16-le", "surrogatepass"))
                unsent += self._cost(chunk, text, bounds, sent.tokens + unsent.tokens)
                finish, held = worse(finish, chunk.finish), held + text
                tokens = max(tokens or 0, chunk.tokens) if chunk.tokens is not None else tokens
                prompt_tokens = max(prompt_tokens, chunk.prompt_tokens or 0)
                if job.pieces and held:
                    yield Piece(held, unsent)
                    held, sent, unsent = "", sent + unsent, NOTHING
        if finish is None:
            raise failed("ended a stream too early")
        if rest := joined.decode(b"", final=True):
            held, unsent = held + rest, unsent + self._cost(Chunk(rest), rest, bounds, sent.tokens + unsent.tokens)
        if not self._upstream.measured:
            # So far an upper bound was charged; now the number of tokens may be known.
            unsent = Charge(bounds.settled(tokens) - sent.tokens, None, None)
        yield Piece(held, unsent, prompt_tokens, (), finish)

    def _cost(self, chunk: Chunk, text: str, bounds: TokenBounds, charged: int) -> Charge:
        """Return the cost of a chunk: what a distillgame server reports, or an upper bound on its tokens.

        Args:
            chunk: The chunk.
            text: Its text, as it leaves.
            bounds: Bounds on the tokens so far, to which the chunk is added.
            charged: Number of tokens that were charged before.

        Raises:
            ApiError: 502, if the server reports less than it has sent, or sends more than was requested.
        """
        grown = bounds.add(text, chunk.hidden)
        if bounds.excessive:
            raise failed("sent more than was requested")
        if not self._upstream.measured:
            return Charge(grown, None, None)
        cost = Charge.from_report(chunk.report)
        if cost is None and chunk.report is None and not text:
            cost = NOTHING
        if cost is None or charged + cost.tokens < bounds.words:
            raise ApiError(502, "the upstream does not report what it releases", code="upstream_unmeasured")
        return cost


def _from_environment(field: str, name: str | None) -> str | None:
    """Return what the environment variable that a setting names holds; None if it names none."""
    if name is None:
        return None
    if not (value := os.environ.get(name)):
        raise DistillgameError(f"upstream.{field}: the environment has no '{name}'")
    return value


def _refusal(status: int, body: bytes, headers: Any) -> ApiError:
    """Translate an upstream's refusal: the client's request may be at fault, or the gateway's own key or rate."""
    if status in (400, 413, 422):
        return ApiError(400, _message(body) or f"the upstream answered {status}", code="upstream_refused")
    if status in (429, 503):
        wait = headers.get("retry-after", "1")
        return overloaded("the upstream is busy", int(wait) if re.fullmatch("[0-9]{1,5}", wait) else 1)
    return ApiError(502, f"the upstream answered {status}", code="upstream_failed")


def _message(body: bytes) -> str:
    """Return what a refusal says; nothing if it says it in no known form."""
    try:
        said = json.loads(body)
        for name in ("error", "message", "detail"):
            said = said.get(name, said) if isinstance(said, dict) else said
    except (ValueError, RecursionError):
        return ""
    # A part of a character cannot be sent on.
    return said[:300].encode(errors="replace").decode() if isinstance(said, str) else ""
