"""Errors of the API: a status and a body that OpenAI's clients understand."""

import time
from typing import Any

from distillgame.errors import DistillgameError

TYPES = {
    401: "authentication_error",
    403: "permission_error",
    429: "rate_limit_error",
    500: "server_error",
    502: "server_error",
    503: "server_error",
    504: "server_error",
}
"""Type of an error by status; others are ``invalid_request_error``."""


class ApiError(DistillgameError):
    """A request that is not served.

    Args:
        status: The HTTP status.
        message: What is wrong and what to do, for the client's developer.
        code: Identifier of the error, for programs.
        param: Name of the field that is wrong.
        retry_after: Seconds after which to try again.
        challenge: The authentication scheme that is expected.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str,
        param: str | None = None,
        retry_after: int | None = None,
        challenge: str | None = None,
    ):
        super().__init__(message)
        self.status, self.message, self.code, self.param = status, message, code, param
        self.retry_after, self.challenge = retry_after, challenge

    def body(self) -> dict[str, Any]:
        """Return the body, in OpenAI's form."""
        kind = TYPES.get(self.status, "invalid_request_error")
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}

    def headers(self) -> dict[str, str]:
        """Return the headers."""
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        return headers | ({} if self.challenge is None else {"WWW-Authenticate": self.challenge})


def budget_exhausted() -> ApiError:
    """Return the error of an owner to whom nothing more is released today."""
    return ApiError(
        429,
        "the leakage budget of this key's owner is spent for today (UTC)",
        code="budget_exhausted",
        retry_after=86_400 - int(time.time()) % 86_400,
    )


def overloaded(message: str, retry_after: int = 1) -> ApiError:
    """Return the error of a server that cannot take the request now."""
    return ApiError(503, message, code="overloaded", retry_after=retry_after)
