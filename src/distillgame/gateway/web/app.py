"""The ASGI application: its routes and middleware."""

import asyncio
import time
from typing import Annotated, Any

from fastapi import Body, FastAPI, Request
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import HTMLResponse, JSONResponse, Response

from distillgame import __version__
from distillgame.gateway.api import ADMIN_PATHS, RESPONSES, ApiRequest, ChatRequest, CompletionRequest, describe
from distillgame.gateway.errors import ApiError, overloaded
from distillgame.gateway.exchange import Exchange
from distillgame.gateway.ids import unique_id
from distillgame.gateway.owner import render_dashboard
from distillgame.gateway.web.error_handlers import add_error_handlers, no_ledger, refuse
from distillgame.gateway.web.event_stream import EventStream, unless_gone
from distillgame.gateway.web.middleware import LimitBody, PlainRequest, RequireKey
from distillgame.gateway.web.services import Services, services_of

READY_SECONDS = 3.0
"""Most seconds until the ledger has answered, for the server to count as ready."""

EXPOSED = ["x-request-id", "x-distillgame-clamped", "retry-after"]
"""Headers of responses that scripts of other origins may read."""


def make_app(services: Services) -> FastAPI:
    """Build the application.

    Args:
        services: The services that its routes use.
    """
    app = FastAPI(
        title="distillgame", version=__version__, docs_url=None, redoc_url=None, redirect_slashes=False,
        description="A defended language model over OpenAI's API.",
    )  # fmt: skip
    app.state.services = services
    settings = services.config.server
    _add_completions(app)
    _add_models(app, services.config.model)
    _add_health(app, services)
    _add_owner_pages(app, services)
    add_error_handlers(app)
    app.add_middleware(LimitBody, most=settings.max_body_bytes, refused=refuse)
    app.add_middleware(RequireKey, identify=_identify, refused=refuse)
    app.add_middleware(PlainRequest)
    if settings.cors_origins:
        # Any header may come, because keys travel in headers that scripts set, never in cookies.
        app.add_middleware(
            CORSMiddleware, allow_origins=settings.cors_origins, allow_methods=["GET", "HEAD", "POST"],
            allow_headers=["*"], expose_headers=EXPOSED,
        )  # fmt: skip
    app.openapi = lambda: describe(app)  # type: ignore[method-assign]
    return app


def _add_completions(app: FastAPI) -> None:
    @app.post("/v1/chat/completions", responses=RESPONSES, tags=["completions"])
    async def chat_completions(request: Request, body: Annotated[ChatRequest, Body()]) -> Response:
        """Answer a conversation."""
        return await _complete(request, body)

    @app.post("/v1/completions", responses=RESPONSES, tags=["completions"])
    async def completions(request: Request, body: Annotated[CompletionRequest, Body()]) -> Response:
        """Continue a text."""
        return await _complete(request, body)


def _add_models(app: FastAPI, served: str) -> None:
    description: dict[str, Any] = {"id": served, "object": "model", "created": 0, "owned_by": "distillgame"}

    @app.get("/v1/models", responses=RESPONSES, tags=["models"])
    async def models(request: Request) -> Response:
        """List the one model that is served."""
        return JSONResponse({"object": "list", "data": [description]})

    @app.get("/v1/models/{name:path}", responses=RESPONSES, tags=["models"])
    async def model(request: Request, name: str) -> Response:
        """Describe the model."""
        if name != served:
            raise ApiError(404, f"there is only the model '{served}'", code="model_not_found", param="model")
        return JSONResponse(description)


def _add_health(app: FastAPI, services: Services) -> None:
    # The second name is that of other servers.
    @app.get("/health", include_in_schema=False)
    @app.get("/healthz", tags=["owner"])
    async def healthz() -> Response:
        """Answer if the process is alive."""
        return JSONResponse({"status": "ok"})

    @app.get("/readyz", responses={503: RESPONSES[503]}, tags=["owner"])
    async def readyz(request: Request) -> Response:
        """Answer if requests are served."""
        reason = services.backend.problem()
        if reason is not None:
            raise overloaded(reason)
        try:
            async with asyncio.timeout(READY_SECONDS):
                await services.writer.read(lambda connection: connection.scalar(select(1)))
        except TimeoutError as error:
            raise no_ledger(error) from error
        return JSONResponse({"status": "ready"})


def _add_owner_pages(app: FastAPI, services: Services) -> None:
    budgets = {name: tier.budget for name, tier in services.config.tiers.items()}

    @app.get("/metrics", responses=RESPONSES, tags=["owner"])
    async def metrics(request: Request) -> Response:
        """Return Prometheus metrics; needs an admin key."""
        _require_admin(request)
        return Response(services.metrics.text(), media_type="text/plain; version=0.0.4")

    @app.get("/dashboard", responses=RESPONSES, tags=["owner"])
    async def dashboard(request: Request) -> Response:
        """Show keys, tokens, KL, value and refusals; needs an admin key (as the password, in a browser)."""
        _require_admin(request)
        page, policy = await render_dashboard(services.writer, services.config.model, budgets)
        return HTMLResponse(page, headers={"Content-Security-Policy": policy, "Cache-Control": "no-store"})


async def _complete(request: Request, body: ApiRequest) -> Response:
    """Serve a request for completions, and cancel it if the client leaves."""
    services, started = services_of(request), time.monotonic()

    async def run() -> Response:
        exchange = await services.open_exchange(request.state.key, body, request.state.id, started)
        return JSONResponse(await exchange.run(), headers=_headers(request, exchange))

    async def stream() -> Response:
        exchange = await services.open_exchange(request.state.key, body, request.state.id, started)
        events = exchange.stream()
        first = await anext(events)
        # Somewhat longer than the exchange has: its own timeout is an event in the stream.
        seconds = services.config.server.request_timeout + 5
        return EventStream(first, events, _headers(request, exchange), seconds)

    return await unless_gone(stream() if body.stream else run(), request.receive)


async def _identify(request: Request) -> None:
    """Give a request its id, and find its key if its path needs one."""
    path = request.scope["path"]
    request.state.id = unique_id()
    if path.startswith("/v1/") or path in ADMIN_PATHS:
        authentication = services_of(request).authentication
        try:
            request.state.key = await authentication.identify(request.headers, admin=path in ADMIN_PATHS)
        except SQLAlchemyError as error:
            raise no_ledger(error) from error


def _headers(request: Request, exchange: Exchange) -> dict[str, str]:
    clamped = ", ".join(exchange.grant.plan.clamped)
    return {"x-request-id": request.state.id} | ({"x-distillgame-clamped": clamped} if clamped else {})


def _require_admin(request: Request) -> None:
    """Check again what the middleware has checked."""
    if not request.state.key.admin:
        raise ApiError(403, "this needs an admin key", code="wrong_kind_of_key")
