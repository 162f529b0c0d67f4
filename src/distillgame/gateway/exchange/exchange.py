"""One request, from its admission to the settlement of its account."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, NamedTuple

from distillgame.gateway.access import Grant
from distillgame.gateway.api import DONE, ApiRequest, ChatRequest, ResponseBuilder, event
from distillgame.gateway.backends import Backend
from distillgame.gateway.config import ServeConfig
from distillgame.gateway.errors import ApiError
from distillgame.gateway.exchange.release import ReleasedPiece, release
from distillgame.gateway.exchange.rewriting import Rewriting
from distillgame.gateway.telemetry import Metrics, log, logger


class ExchangeOutcome(NamedTuple):
    """The end of an exchange.

    Attributes:
        name: ``finished``, ``cancelled``, ``timeout`` or ``error``, as in the ledger.
        status: The HTTP status, for the log.
    """

    name: str
    status: int

    @classmethod
    def of(cls, problem: ApiError) -> "ExchangeOutcome":
        """Return the outcome of an exchange that ends with an error."""
        return cls("timeout" if problem.status == 504 else "error", problem.status)


FINISHED = ExchangeOutcome("finished", 200)
CANCELLED = ExchangeOutcome("cancelled", 499)
FAILED = ExchangeOutcome("error", 500)


class Exchange:
    """A request that was admitted, and its response.

    Either :meth:`run` or :meth:`stream` serves it, and settles its account whatever happens.

    Args:
        config: The owner's configuration.
        backend: Samples the completions.
        metrics: Counts requests and releases.
        grant: The permission to serve the request.
        request: The request.
        request_id: Its id.
        started: Time of its arrival, by the monotonic clock.
        rewriting: Writes the released texts, if the policy's form has them written.

    Attributes:
        grant: The permission to serve the request.
    """

    def __init__(
        self,
        config: ServeConfig,
        backend: Backend,
        metrics: Metrics,
        grant: Grant,
        request: ApiRequest,
        request_id: str,
        started: float,
        rewriting: Rewriting | None = None,
    ):
        self.grant = grant
        self._rewriting = rewriting
        self._config, self._backend, self._metrics = config, backend, metrics
        self._request, self._id, self._started = request, request_id, started
        self._response = ResponseBuilder(
            request_id,
            config.model,
            len(grant.plan.jobs),
            chat=isinstance(request, ChatRequest),
            logprobs=request.logprob_count is not None,
            measured=grant.tier.gateway,
        )

    async def run(self) -> dict[str, Any]:
        """Sample all completions and return the body of the response.

        Raises:
            ApiError: If sampling fails or takes too long.
        """
        outcome = FAILED
        lease = self.grant.lease
        try:
            async with aclosing(self._released()) as pieces:
                async for released in pieces:
                    self._response.add(released.index, released.piece)
            outcome = FINISHED
        except ApiError as problem:
            outcome = ExchangeOutcome.of(problem)
            raise
        except asyncio.CancelledError:
            outcome = CANCELLED
            raise
        finally:
            # Only a complete response is sent, and so released.
            if outcome is not FINISHED:
                lease.nothing_left()
            self.settle(outcome)
        return self._response.whole(lease.prompt_tokens, lease.released)

    async def stream(self) -> AsyncGenerator[bytes, None]:
        """Sample all completions and yield server-sent events as they come, one or more at once.

        Raises:
            ApiError: If sampling fails before the first event; later failures are events themselves.
        """
        outcome, begun = CANCELLED, False
        pieces = self._released()
        try:
            async for released in pieces:
                if not begun:
                    self._metrics.first.observe(time.monotonic() - self._started)
                    begun = True
                yield self._response.events(released.index, released.piece)
            outcome = FINISHED
            yield self._last_events()
        except ApiError as problem:
            outcome = ExchangeOutcome.of(problem)
            if not begun:
                raise
            yield event(problem.body())
        except Exception as error:
            outcome = FAILED
            if not begun:
                raise
            logger.error("failed", exc_info=error, extra={"facts": {"request": self._id}})
            yield event(ApiError(500, "the server failed; try again", code="internal_error").body())
        finally:
            try:
                # First: nothing may be covered any more once the account is settled.
                await pieces.aclose()
            finally:
                self.settle(outcome)

    def settle(self, outcome: ExchangeOutcome) -> None:
        """Settle the lease and the rate limit, and record the exchange in metrics and log."""
        grant, lease = self.grant, self.grant.lease
        lease.settle(outcome.name)
        used = lease.prompt_tokens + lease.sampled
        if outcome.name in ("cancelled", "timeout"):
            # How much was sampled by then is not known, and work that is thrown away is work all the same.
            used = max(used, grant.reservation.tokens)
        grant.reservation.settle(used)
        self._count(outcome)
        self._log(outcome)

    async def _released(self) -> AsyncGenerator[ReleasedPiece, None]:
        """Yield pieces that may be sent, until all completions have ended.

        Raises:
            ApiError: If sampling fails, nothing can be released, or it takes too long (504).
        """
        seconds = self._config.server.request_timeout
        deadline = asyncio.get_running_loop().time() + seconds
        grant = self.grant
        pieces = release(self._backend, grant.plan.jobs, grant.policy, grant.lease, self._rewriting)
        try:
            while True:
                try:
                    # Not around the yield: there the client takes its time, and must not be interrupted.
                    async with asyncio.timeout_at(deadline):
                        released = await anext(pieces, None)
                except TimeoutError as error:
                    raise ApiError(504, f"the request took longer than {seconds:g} s", code="timeout") from error
                if released is None:
                    return
                yield released
        finally:
            await pieces.aclose()

    def _last_events(self) -> bytes:
        lease = self.grant.lease
        if not self._request.wants_usage:
            return DONE
        return self._response.usage_event(lease.prompt_tokens, lease.released.tokens) + DONE

    def _count(self, outcome: ExchangeOutcome) -> None:
        lease, policy = self.grant.lease, self.grant.policy.name
        spent = lease.released
        self._metrics.whole.observe(time.monotonic() - self._started)
        self._metrics.requests.labels(self._request.endpoint, outcome.name).inc()
        self._metrics.tokens.labels(policy).inc(spent.tokens)
        if lease.offer.mark is not None:
            self._metrics.marked.labels(policy).inc(spent.tokens)
        self._metrics.kl.labels(policy).inc(spent.kl or 0.0)
        self._metrics.value.labels(policy).inc(spent.value or 0.0)

    def _log(self, outcome: ExchangeOutcome) -> None:
        key, lease = self.grant.key, self.grant.lease
        texts = {}
        if self._config.server.log_prompts:
            released = [completion.text for completion in self._response.completions]
            texts = {"asked": self._request.model_dump(exclude_none=True), "released": released}
        log(
            "request", logging.INFO, request=self._id, key=key.id, owner=key.owner, tier=key.tier,
            policy=self.grant.policy.name, outcome=outcome.name, status=outcome.status,
            prompt_tokens=lease.prompt_tokens, tokens=lease.released.tokens, kl=_rounded(lease.released.kl),
            value=_rounded(lease.released.value), seconds=round(time.monotonic() - self._started, 4), **texts,
        )  # fmt: skip


def _rounded(amount: float | None) -> float | None:
    return None if amount is None else round(amount, 6)
