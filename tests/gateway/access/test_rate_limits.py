"""Requests and tokens per minute, with a clock of our own; and over HTTP."""

import pytest

from distillgame.gateway.access.rate_limits import Bucket, RateLimiter
from distillgame.gateway.config import Limits
from distillgame.gateway.errors import ApiError

from ..servers import Running


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_bucket_fills_steadily_and_holds_a_minutes_worth() -> None:
    clock = Clock()
    bucket = Bucket(60, clock)
    bucket.take(60)
    assert bucket.wait(1) == pytest.approx(1)
    assert bucket.wait(61) == float("inf")
    clock.now = 30
    assert bucket.wait(30) == 0
    assert bucket.wait(31) == pytest.approx(1)
    clock.now = 1000
    assert bucket.full


def test_requests_past_the_rate_wait() -> None:
    clock = Clock()
    limiter, limits = RateLimiter(clock), Limits(requests_per_minute=2)
    limiter.admit("a", limits, 10)
    limiter.admit("a", limits, 10)
    limiter.admit("b", limits, 10)
    with pytest.raises(ApiError) as error:
        limiter.admit("a", limits, 10)
    assert (error.value.status, error.value.retry_after) == (429, 30)
    clock.now = 30
    limiter.admit("a", limits, 10)


def test_reserved_tokens_come_back() -> None:
    limiter, limits = RateLimiter(Clock()), Limits(tokens_per_minute=100)
    reservation = limiter.admit("a", limits, 90)
    with pytest.raises(ApiError):
        limiter.admit("a", limits, 20)
    reservation.settle(15)
    limiter.admit("a", limits, 85)


def test_what_never_fits_is_not_told_to_wait() -> None:
    with pytest.raises(ApiError) as error:
        RateLimiter(Clock()).admit("a", Limits(tokens_per_minute=100), 101)
    assert (error.value.status, error.value.retry_after) == (400, None)


def test_a_refused_request_takes_nothing() -> None:
    limiter, limits = RateLimiter(Clock()), Limits(requests_per_minute=2, tokens_per_minute=100)
    limiter.admit("a", limits, 90)
    for _ in range(5):
        with pytest.raises(ApiError):
            limiter.admit("a", limits, 20)
    limiter.admit("a", limits, 10)


def test_over_http_a_limit_is_429_with_retry_after(running: Running) -> None:
    key = running.key("slow")
    answers = [running.ask(key) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 60
    assert answers[-1].json()["error"]["type"] == "rate_limit_error"
    assert running.ask(running.key("slow")).status_code == 200
    # n = 8 may come to 8 x 512 tokens, more than the 2,000 of a minute.
    assert running.ask(running.key("slow"), n=8).json()["error"]["code"] == "request_too_large"


def test_over_http_a_hard_budget_is_429_until_tomorrow_for_all_keys_of_an_owner(running: Running) -> None:
    first, second = running.key("hard", "spender"), running.key("hard", "spender")
    statuses = [running.ask(first).status_code for _ in range(40)]
    assert statuses[0] == 200
    assert statuses[-1] == 429
    refused = running.ask(second)
    assert refused.json()["error"]["code"] == "budget_exhausted"
    assert 0 < int(refused.headers["retry-after"]) <= 86_400
    assert sum(row.value for row in running.settled(owner="spender")) <= 150
    assert running.ask(running.key("hard", "another")).status_code == 200


def test_over_http_a_soft_budget_falls_to_the_stronger_policy(running: Running) -> None:
    key = running.key("soft", "slider")
    assert {running.ask(key).status_code for _ in range(40)} == {200}
    policies = [row.policy for row in running.settled(owner="slider")]
    assert policies[0] == "poe"
    assert policies[-1] == "strong"
    # Once past it there is no way back within the day.
    assert policies == sorted(policies)
