"""Responses to requests that fail: refused, malformed, unknown, or without a ledger."""

import logging
import re

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from distillgame.gateway.errors import ApiError
from distillgame.gateway.telemetry import log, logger
from distillgame.gateway.web.event_stream import ClientGoneError
from distillgame.gateway.web.middleware import error_response
from distillgame.gateway.web.services import services_of

TYPES = re.compile(r"^(str|constrained-str|bool|int|float)$|\[")
"""Names of types, which pydantic puts between the names of fields."""


def add_error_handlers(app: FastAPI) -> None:
    """Make every error of a route a response that OpenAI's clients understand."""
    app.add_exception_handler(ApiError, refuse)  # type: ignore[arg-type]

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        return await refuse(request, _error_of(error))

    @app.exception_handler(HTTPException)
    async def unknown(request: Request, error: HTTPException) -> Response:
        code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "invalid_request")
        found = ApiError(error.status_code, f"{error.detail}: {request.scope['path']}", code=code)
        response = await refuse(request, found)
        response.headers.update(error.headers or {})
        return response

    @app.exception_handler(SQLAlchemyError)
    async def without_ledger(request: Request, error: SQLAlchemyError) -> Response:
        return await refuse(request, no_ledger(error))

    @app.exception_handler(ClientGoneError)
    async def gone(request: Request, error: ClientGoneError) -> Response:
        return Response(status_code=499)

    @app.exception_handler(Exception)
    async def unforeseen(request: Request, error: Exception) -> Response:
        logger.error("failed", exc_info=error, extra={"facts": {"request": getattr(request.state, "id", None)}})
        return error_response(ApiError(500, "the server failed; try again", code="internal_error"))


async def refuse(request: Request, error: ApiError) -> Response:
    """Return the response to a refused request, after counting it in the metrics, the ledger and the log."""
    services = services_of(request)
    key = request.state.key.id if hasattr(request.state, "key") else ""
    services.metrics.refusals.labels(error.code).inc()
    services.refusals.note(key, error.code)
    log(
        "refused",
        request=getattr(request.state, "id", None),
        key=key or None,
        status=error.status,
        code=error.code,
        param=error.param,
    )
    response = error_response(error)
    if hasattr(request.state, "id"):
        response.headers["x-request-id"] = request.state.id
    return response


def no_ledger(error: Exception) -> ApiError:
    """Log a failure of the database, and return the error with which requests are then refused."""
    log("ledger failed", logging.ERROR, error=type(error).__name__)
    return ApiError(
        503, "the ledger is out of reach; nothing is served without it", code="ledger_unreachable", retry_after=5
    )


def _error_of(error: RequestValidationError) -> ApiError:
    """Translate a malformed request's validation error."""
    # If several shapes are allowed, the deepest error is about the one that was meant.
    first = max(error.errors(), key=lambda found: (found["type"] == "too_long", len(found["loc"]), -len(found["msg"])))
    if first["loc"] in (("body",), ()) and first["type"] in ("missing", "model_attributes_type", "dict_type"):
        text = "send a JSON object with 'Content-Type: application/json'"
        return ApiError(400, text, code="invalid_request")
    # Names of types, which distinguish such shapes, are not names of fields.
    parts = [str(part) for part in first["loc"] if part != "body" and not TYPES.search(str(part))]
    field = ".".join(parts)
    if first["type"] == "json_invalid":
        return ApiError(400, "the body is not JSON", code="invalid_json")
    message = str(first["msg"]).removeprefix("Value error, ")
    if not field and (named := re.match(r"'(\w+)'", message)):
        return ApiError(400, message, code="invalid_request", param=named.group(1))
    if first["type"] == "extra_forbidden":
        message = "unknown field; it is neither ignored nor served"
    where = f"'{field[:100]}': " if field else ""
    return ApiError(400, f"{where}{message}", code="invalid_request", param=field[:100] or None)
