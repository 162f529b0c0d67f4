"""One request from admission to its last byte."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from distillgame.gateway.access.admission import Admission, Admitted
from distillgame.gateway.api.jobs import Asked
from distillgame.gateway.api.requests import ChatRequest
from distillgame.gateway.api.responses import DONE, Answer, Choice, event
from distillgame.gateway.backends.base import Backend
from distillgame.gateway.config.serve import ServeConfig
from distillgame.gateway.errors import ApiError
from distillgame.gateway.exchange.release import released
from distillgame.gateway.telemetry import Metrics, log, logger


class Serving:
    """Serves admitted requests.

    Args:
        config: The owner's configuration.
        backend: What samples.
        admission: Settles accounts.
        metrics: Counts.
    """

    def __init__(self, config: ServeConfig, backend: Backend, admission: Admission, metrics: Metrics):
        self._config, self._backend, self._admission, self._metrics = config, backend, admission, metrics

    async def whole(self, admitted: Admitted, asked: Asked, request: str, started: float) -> dict[str, Any]:
        """Sample all and answer once.

        Raises:
            ApiError: If it fails or takes too long.
        """
        answer = self._answer(admitted, asked, request)
        choices = [Choice() for _ in admitted.work.jobs]
        outcome, status = "error", 500
        try:
            async with asyncio.timeout(self._config.server.request_timeout):
                async with aclosing(self._released(admitted)) as outs:
                    async for out in outs:
                        choices[out.index].add(out.piece)
            outcome, status = "finished", 200
        except TimeoutError as error:
            outcome, status = "timeout", 504
            raise _late(self._config) from error
        except ApiError as problem:
            status = problem.status
            raise
        except asyncio.CancelledError:
            outcome, status = "cancelled", 499
            raise
        finally:
            # What could not be answered was not released: only a whole answer is.
            if outcome != "finished":
                admitted.lease.nothing_left()
            self._settle(admitted, asked, request, started, outcome, status, choices)
        return answer.whole(choices, admitted.lease.prompt_tokens, admitted.lease.released)

    async def stream(
        self, admitted: Admitted, asked: Asked, request: str, started: float
    ) -> AsyncGenerator[bytes, None]:
        """Sample all and yield events as they come, one or more at once.

        Raises:
            ApiError: If it fails before the first event; later failures are events themselves.
        """
        answer = self._answer(admitted, asked, request)
        choices = [Choice() for _ in admitted.work.jobs]
        outcome, status = "cancelled", 499
        deadline = asyncio.get_running_loop().time() + self._config.server.request_timeout
        opened: set[int] = set()
        first = True
        outs = self._released(admitted)
        try:
            while True:
                # Not around a yield: what waits there is the client's time, and not ours to interrupt.
                async with asyncio.timeout_at(deadline):
                    out = await anext(outs, None)
                if out is None:
                    break
                if first:
                    self._metrics.first.observe(time.monotonic() - started)
                    first = False
                events = b""
                if answer.chat and out.index not in opened:
                    opened.add(out.index)
                    events = event(answer.opening(out.index))
                choices[out.index].add(out.piece)
                yield events + event(answer.chunk(out.index, out.piece))
            events = b""
            if asked.wants_usage:
                events = event(answer.usage_chunk(admitted.lease.prompt_tokens, admitted.lease.released.tokens))
            outcome, status = "finished", 200
            yield events + DONE
        except (TimeoutError, ApiError) as error:
            problem = error if isinstance(error, ApiError) else _late(self._config)
            outcome, status = "timeout" if problem.status == 504 else "error", problem.status
            if first:
                raise problem from error
            yield event(problem.body())
        except Exception as error:
            outcome, status = "error", 500
            if first:
                raise
            logger.error("failed", exc_info=error, extra={"facts": {"request": request}})
            yield event(ApiError(500, "the server failed; try again", code="internal_error").body())
        finally:
            try:
                # First: nothing may be covered any more once the account is settled.
                await outs.aclose()
            finally:
                self._settle(admitted, asked, request, started, outcome, status, choices)

    def _released(self, admitted: Admitted) -> Any:
        served = self._config.served(admitted.policy)
        return released(self._backend, admitted.work.jobs, served, admitted.lease)

    def _answer(self, admitted: Admitted, asked: Asked, request: str) -> Answer:
        return Answer(
            request,
            self._config.model,
            chat=isinstance(asked, ChatRequest),
            logprobs=asked.logprob_count is not None,
            measured=admitted.tier.gateway,
        )

    def _settle(
        self,
        admitted: Admitted,
        asked: Asked,
        request: str,
        started: float,
        outcome: str,
        status: int,
        choices: list[Choice],
    ) -> None:
        self._admission.settle(admitted, outcome)
        spent, seconds = admitted.lease.released, time.monotonic() - started
        self._metrics.whole.observe(seconds)
        endpoint = "chat" if isinstance(asked, ChatRequest) else "completions"
        self._metrics.requests.labels(endpoint, outcome).inc()
        self._metrics.tokens.labels(admitted.policy).inc(spent.tokens)
        self._metrics.kl.labels(admitted.policy).inc(spent.kl or 0.0)
        self._metrics.value.labels(admitted.policy).inc(spent.value or 0.0)
        texts = {}
        if self._config.server.log_prompts:
            texts = {"asked": asked.model_dump(exclude_none=True), "released": [choice.text for choice in choices]}
        log(
            "request", logging.INFO, request=request, key=admitted.key.id, owner=admitted.key.owner,
            tier=admitted.key.tier, policy=admitted.policy, outcome=outcome, status=status,
            prompt_tokens=admitted.lease.prompt_tokens, tokens=spent.tokens, kl=_rounded(spent.kl),
            value=_rounded(spent.value), seconds=round(seconds, 4), **texts,
        )  # fmt: skip


def _late(config: ServeConfig) -> ApiError:
    seconds = config.server.request_timeout
    return ApiError(504, f"the request took longer than {seconds:g} s", code="timeout")


def _rounded(amount: float | None) -> float | None:
    return None if amount is None else round(amount, 6)
