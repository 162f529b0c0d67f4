"""The ASGI application: routes, errors, and what surrounds them."""

import asyncio
import logging
import re
import time
from collections.abc import AsyncGenerator
from typing import Annotated, Any

from fastapi import Body, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import HTMLResponse, JSONResponse, Response

from distillgame import __version__
from distillgame.gateway.api.document import OWNER, RESPONSES, describe
from distillgame.gateway.api.jobs import Asked
from distillgame.gateway.api.requests import MOST_COMPLETIONS, ChatRequest, CompletionRequest
from distillgame.gateway.config.serve import ServeConfig
from distillgame.gateway.errors import ApiError, overloaded
from distillgame.gateway.ids import unique
from distillgame.gateway.owner.dashboard import render_dashboard
from distillgame.gateway.telemetry import log, logger
from distillgame.gateway.web.middleware import Doors, EventStream, GoneError, LimitBody, error_response, unless_gone
from distillgame.gateway.web.services import Rooms

TYPES = re.compile(r"^(str|constrained-str)$|\[")
"""What pydantic puts between the names of fields: names of types."""

READY_SECONDS = 3.0
"""How long the ledger may take to answer before the server is not called ready."""


def make_app(config: ServeConfig, rooms: Rooms) -> FastAPI:
    """Put the application together.

    Args:
        config: The owner's configuration.
        rooms: What the routes use.
    """
    app = FastAPI(
        title="distillgame", version=__version__, docs_url=None, redoc_url=None,
        description="A defended language model over OpenAI's API.",
    )  # fmt: skip
    app.state.rooms = rooms
    _add_completions(app, config)
    _add_owner_routes(app, config)
    _add_errors(app)
    app.add_middleware(LimitBody, most=config.server.max_body_bytes, refused=_refused)
    app.add_middleware(Doors, identify=_identify, refused=_refused)
    if config.server.cors_origins:
        app.add_middleware(
            CORSMiddleware, allow_origins=config.server.cors_origins, allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type"],
        )  # fmt: skip
    app.openapi = lambda: describe(app)  # type: ignore[method-assign]
    return app


def _add_completions(app: FastAPI, config: ServeConfig) -> None:
    @app.post("/v1/chat/completions", responses=RESPONSES, tags=["completions"])
    async def chat_completions(request: Request, body: Annotated[ChatRequest, Body()]) -> Response:
        """Answer a conversation."""
        return await _serve(request, body, config)

    @app.post("/v1/completions", responses=RESPONSES, tags=["completions"])
    async def completions(request: Request, body: Annotated[CompletionRequest, Body()]) -> Response:
        """Continue a text."""
        return await _serve(request, body, config)

    @app.get("/v1/models", responses=RESPONSES, tags=["models"])
    async def models(request: Request) -> Response:
        """List the one model that there is."""
        return JSONResponse({"object": "list", "data": [_model(config)]})

    @app.get("/v1/models/{name:path}", responses=RESPONSES, tags=["models"])
    async def model(request: Request, name: str) -> Response:
        """Describe the model."""
        if name != config.model:
            raise ApiError(404, f"there is only the model '{config.model}'", code="model_not_found", param="model")
        return JSONResponse(_model(config))


def _add_owner_routes(app: FastAPI, config: ServeConfig) -> None:
    @app.get("/healthz", tags=["owner"])
    async def healthz() -> Response:
        """Whether the process is alive."""
        return JSONResponse({"status": "ok"})

    @app.get("/readyz", responses={503: RESPONSES[503]}, tags=["owner"])
    async def readyz(request: Request) -> Response:
        """Whether requests are served."""
        rooms = _rooms(request)
        reason = rooms.backend.problem()
        if reason is not None:
            raise overloaded(reason)
        try:
            async with asyncio.timeout(READY_SECONDS):
                await rooms.writer.read(lambda connection: connection.scalar(select(1)))
        except TimeoutError as error:
            raise _no_ledger(error) from error
        return JSONResponse({"status": "ready"})

    @app.get("/metrics", responses=RESPONSES, tags=["owner"])
    async def metrics(request: Request) -> Response:
        """Prometheus metrics; needs an admin key."""
        _require_admin(request)
        return Response(_rooms(request).metrics.text(), media_type="text/plain; version=0.0.4")

    @app.get("/dashboard", responses=RESPONSES, tags=["owner"])
    async def dashboard(request: Request) -> Response:
        """Keys, tokens, KL, value and refusals; needs an admin key (as the password, in a browser)."""
        _require_admin(request)
        page, policy = await render_dashboard(_rooms(request).writer, config)
        return HTMLResponse(page, headers={"Content-Security-Policy": policy, "Cache-Control": "no-store"})


async def _serve(request: Request, asked: Asked, config: ServeConfig) -> Response:
    rooms, started, name = _rooms(request), time.monotonic(), request.state.name
    key = request.state.key

    async def whole() -> tuple[dict[str, Any], dict[str, str]]:
        admitted = await rooms.admission.admit(key, asked, name)
        headers = _headers(name, admitted.work.clamped)
        return await rooms.serving.whole(admitted, asked, name, started), headers

    async def opened() -> tuple[bytes, AsyncGenerator[bytes, None], dict[str, str]]:
        admitted = await rooms.admission.admit(key, asked, name)
        events = rooms.serving.stream(admitted, asked, name, started)
        return await anext(events), events, _headers(name, admitted.work.clamped)

    running, most = rooms.backend.load()
    if asked.completions > min(most, MOST_COMPLETIONS):
        few = min(most, MOST_COMPLETIONS)
        raise ApiError(400, f"at most {few} completions of a request are served", code="too_many_choices", param="n")
    if running + asked.completions > most:
        raise overloaded("the queue is full")
    if not asked.stream:
        body, headers = await unless_gone(whole(), request.receive)
        return JSONResponse(body, headers=headers)
    first, rest, headers = await unless_gone(opened(), request.receive)
    # A little more than the request has: what is late by itself says so in the stream.
    return EventStream(first, rest, headers, config.server.request_timeout + 5)


async def _identify(request: Request) -> None:
    """Find who asks, where a key is needed, and keep it with the request."""
    path = request.scope["path"]
    request.state.name = unique()
    if path.startswith("/v1/") or path in OWNER:
        try:
            request.state.key = await _rooms(request).admission.identify(request.headers, admin=path in OWNER)
        except SQLAlchemyError as error:
            raise _no_ledger(error) from error


def _headers(name: str, clamped: list[str]) -> dict[str, str]:
    return {"x-request-id": name} | ({"x-distillgame-clamped": ", ".join(clamped)} if clamped else {})


def _rooms(request: Request) -> Rooms:
    rooms: Rooms = request.app.state.rooms
    return rooms


def _model(config: ServeConfig) -> dict[str, Any]:
    return {"id": config.model, "object": "model", "created": 0, "owned_by": "distillgame"}


def _add_errors(app: FastAPI) -> None:
    app.add_exception_handler(ApiError, _refused)  # type: ignore[arg-type]

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        return await _refused(request, _error_of(error))

    @app.exception_handler(HTTPException)
    async def unknown(request: Request, error: HTTPException) -> Response:
        code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "invalid_request")
        found = ApiError(error.status_code, f"{error.detail}: {request.scope['path']}", code=code)
        response = await _refused(request, found)
        response.headers.update(error.headers or {})
        return response

    @app.exception_handler(SQLAlchemyError)
    async def no_ledger(request: Request, error: SQLAlchemyError) -> Response:
        return await _refused(request, _no_ledger(error))

    @app.exception_handler(GoneError)
    async def gone(request: Request, error: GoneError) -> Response:
        return Response(status_code=499)

    @app.exception_handler(Exception)
    async def unforeseen(request: Request, error: Exception) -> Response:
        logger.error("failed", exc_info=error, extra={"facts": {"request": getattr(request.state, "name", None)}})
        return error_response(ApiError(500, "the server failed; try again", code="internal_error"))


async def _refused(request: Request, error: ApiError) -> Response:
    """The response to a refused request, after it was noted in the metrics, the ledger and the log."""
    rooms = _rooms(request)
    key = request.state.key.id if hasattr(request.state, "key") else ""
    rooms.metrics.refusals.labels(error.code).inc()
    rooms.refusals.note(key, error.code)
    log(
        "refused",
        request=getattr(request.state, "name", None),
        key=key or None,
        status=error.status,
        code=error.code,
        param=error.param,
    )
    response = error_response(error)
    if hasattr(request.state, "name"):
        response.headers["x-request-id"] = request.state.name
    return response


def _require_admin(request: Request) -> None:
    """The door has seen to it; a page of the owner's sees to it again."""
    if not request.state.key.admin:
        raise ApiError(403, "this needs an admin key", code="wrong_kind_of_key")


def _no_ledger(error: Exception) -> ApiError:
    log("ledger failed", logging.ERROR, error=type(error).__name__)
    return ApiError(
        503, "the ledger is out of reach; nothing is served without it", code="ledger_unreachable", retry_after=5
    )


def _error_of(error: RequestValidationError) -> ApiError:
    # Where several shapes are allowed, the deepest complaint is about the one that was meant.
    first = max(error.errors(), key=lambda found: (found["type"] == "too_long", len(found["loc"]), -len(found["msg"])))
    if first["loc"] in (("body",), ()) and first["type"] in ("missing", "model_attributes_type", "dict_type"):
        text = "send a JSON object with 'Content-Type: application/json'"
        return ApiError(400, text, code="invalid_request")
    # Names of types, which tell such shapes apart, are not names of fields.
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
