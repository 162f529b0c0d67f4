"""The OpenAPI document: FastAPI's, with keys and with this server's errors in place of FastAPI's."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

REASONS = {
    400: "The request is malformed, or asks for what the policy does not release",
    401: "No valid API key",
    403: "The wrong kind of key",
    404: "No such model",
    408: "The request was not complete in time",
    413: "The request is too large",
    415: "The body's encoding is not read",
    429: "A limit or the day's leakage budget is spent; Retry-After says when to try again",
    500: "Sampling failed",
    502: "The upstream failed",
    503: "Too much to do, or stopping; Retry-After says when to try again",
    504: "It took too long",
}

ERROR: dict[str, Any] = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "code": {"type": ["string", "null"]},
            },
        }
    },
}

RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"description": text, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}}
    for status, text in REASONS.items()
}
"""Errors that any route may return."""

ADMIN_PATHS = ("/metrics", "/dashboard")
"""Paths that need an admin key."""

PUBLIC_PATHS = ("/healthz", "/readyz")
"""Paths that need no key."""

MEDIA = {"/metrics": "text/plain", "/dashboard": "text/html"}
"""Media types of successful responses that are not JSON."""


def describe(app: FastAPI) -> dict[str, Any]:
    """Return the document, which is built once."""
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        parts = document.setdefault("components", {})
        parts.setdefault("schemas", {})["Error"] = ERROR
        for unused in ("HTTPValidationError", "ValidationError"):
            parts["schemas"].pop(unused, None)
        parts["securitySchemes"] = {
            "key": {"type": "http", "scheme": "bearer"},
            "admin": {"type": "http", "scheme": "basic"},
        }
        for path, methods in document["paths"].items():
            for operation in methods.values():
                operation["responses"].pop("422", None)
                operation["responses"].update(_success(path))
                if path not in PUBLIC_PATHS:
                    operation["security"] = [{"key": []}, *([{"admin": []}] if path in ADMIN_PATHS else [])]
        app.openapi_schema = document
    return app.openapi_schema


def _success(path: str) -> dict[str, Any]:
    kinds: dict[str, Any] = {MEDIA.get(path, "application/json"): {}}
    if "completions" in path:
        kinds["text/event-stream"] = {}
    return {"200": {"description": "Success", "content": kinds}}
