"""Rate limits: requests and tokens per minute for each key, as buckets that fill steadily."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from distillgame.gateway.config import Limits
from distillgame.gateway.errors import ApiError

MINUTE = 60.0

MOST_BUCKETS = 10_000
"""Buckets beyond which full ones are dropped."""


class Bucket:
    """A bucket that holds at most a minute's worth and fills at that rate.

    Args:
        per_minute: Inflow per minute.
        clock: Returns seconds; replaced in tests.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic):
        self.per_minute, self._clock = per_minute, clock
        self._level, self._at = float(per_minute), clock()

    def wait(self, amount: float) -> float:
        """Return the seconds until the bucket holds ``amount``: 0 if it does, infinite if it never will."""
        if amount > self.per_minute:
            return math.inf
        self._fill()
        return max(0.0, amount - self._level) * MINUTE / self.per_minute

    def take(self, amount: float) -> None:
        """Take an amount out, or put it back if it is negative; the level may fall below zero."""
        self._fill()
        self._level = min(self._level - amount, float(self.per_minute))

    @property
    def full(self) -> bool:
        """True if nothing is missing."""
        self._fill()
        return self._level >= self.per_minute

    def _fill(self) -> None:
        now = self._clock()
        self._level = min(self.per_minute, self._level + (now - self._at) * self.per_minute / MINUTE)
        self._at = now


class RateLimiter:
    """The buckets of all keys.

    Args:
        clock: Returns seconds; replaced in tests.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        self._buckets: dict[tuple[str, str, int], Bucket] = {}

    def admit(self, key: str, limits: Limits, tokens: int) -> "Reservation":
        """Count a request that may need up to ``tokens`` tokens, and reserve them.

        Raises:
            ApiError: 429, if the key has to wait, with the seconds in Retry-After; 400, if the limit never allows it.
        """
        wanted: list[tuple[str, int | None, float]] = [
            ("requests", limits.requests_per_minute, 1.0),
            ("tokens", limits.tokens_per_minute, float(tokens)),
        ]
        chosen = [(what, self.bucket(key, what, rate), amount) for what, rate, amount in wanted if rate is not None]
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
        return Reservation(self, key, limits, tokens)

    def bucket(self, key: str, what: str, rate: int) -> Bucket:
        """Return the bucket of a key for ``requests`` or ``tokens`` at a rate per minute."""
        name = (key, what, rate)
        if name not in self._buckets:
            if len(self._buckets) > MOST_BUCKETS:
                self._buckets = {k: bucket for k, bucket in self._buckets.items() if not bucket.full}
            self._buckets[name] = Bucket(rate, self._clock)
        return self._buckets[name]


@dataclass(frozen=True)
class Reservation:
    """Tokens that are taken from a key's rate limit while a request runs.

    Attributes:
        limiter: The buckets of all keys.
        key: The key's id.
        limits: Its limits.
        tokens: Reserved tokens.
    """

    limiter: RateLimiter
    key: str
    limits: Limits
    tokens: int

    def settle(self, used: int) -> None:
        """Return the tokens that the request did not use, or take those that it used beyond."""
        if self.limits.tokens_per_minute is not None:
            self.limiter.bucket(self.key, "tokens", self.limits.tokens_per_minute).take(used - self.tokens)
