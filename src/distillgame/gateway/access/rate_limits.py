"""Requests and tokens a minute, for each key: buckets that fill steadily."""

import math
import time
from collections.abc import Callable

from distillgame.gateway.config.tiers import Limits
from distillgame.gateway.errors import ApiError

MINUTE = 60.0


class Bucket:
    """Holds at most a minute's worth and fills at that rate.

    Args:
        per_minute: What flows in a minute.
        clock: Seconds, for tests.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic):
        self.per_minute, self._clock = per_minute, clock
        self._level, self._at = float(per_minute), clock()

    def wait(self, amount: float) -> float:
        """Seconds until ``amount`` is there; 0 if it is, infinite if it never will be."""
        if amount > self.per_minute:
            return math.inf
        self._fill()
        return max(0.0, amount - self._level) * MINUTE / self.per_minute

    def take(self, amount: float) -> None:
        """Take something out, or put it back if it is negative; the level may fall below zero."""
        self._fill()
        self._level = min(self._level - amount, float(self.per_minute))

    @property
    def full(self) -> bool:
        """Whether nothing was taken lately."""
        self._fill()
        return self._level >= self.per_minute

    def _fill(self) -> None:
        now = self._clock()
        self._level = min(self.per_minute, self._level + (now - self._at) * self.per_minute / MINUTE)
        self._at = now


class Limiter:
    """The buckets of all keys.

    Args:
        clock: Seconds, for tests.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        self._buckets: dict[tuple[str, str, int], Bucket] = {}

    def admit(self, key: str, limits: Limits, tokens: int) -> None:
        """Count a request that may come to ``tokens`` tokens.

        Raises:
            ApiError: 429, if the key has to wait, with the seconds in Retry-After.
        """
        wanted: list[tuple[str, int | None, float]] = [
            ("requests", limits.requests_per_minute, 1.0),
            ("tokens", limits.tokens_per_minute, float(tokens)),
        ]
        chosen = [(what, self._bucket(key, what, rate), amount) for what, rate, amount in wanted if rate is not None]
        for what, bucket, amount in chosen:
            wait = bucket.wait(amount)
            if wait == math.inf:
                raise ApiError(
                    400, f"this request may need {amount:.0f} {what}, and this key has {bucket.per_minute} a minute: "
                    "ask for fewer 'max_tokens' or choices ('n')", code="request_too_large", param="max_tokens",
                )  # fmt: skip
            if wait > 0:
                seconds = math.ceil(wait)
                raise ApiError(
                    429, f"rate limit of {bucket.per_minute} {what} a minute reached; try again in {seconds} s",
                    code="rate_limit_exceeded", retry_after=seconds,
                )  # fmt: skip
        for _, bucket, amount in chosen:
            bucket.take(amount)

    def settle(self, key: str, limits: Limits, reserved: int, used: int) -> None:
        """Put back what a request did not need, or take what it needed beyond."""
        if limits.tokens_per_minute is not None:
            self._bucket(key, "tokens", limits.tokens_per_minute).take(used - reserved)

    def _bucket(self, key: str, what: str, rate: int) -> Bucket:
        name = (key, what, rate)
        if name not in self._buckets:
            if len(self._buckets) > 10_000:
                self._buckets = {k: bucket for k, bucket in self._buckets.items() if not bucket.full}
            self._buckets[name] = Bucket(rate, self._clock)
        return self._buckets[name]
