"""Bodies that clients compress."""

import zlib

from distillgame.gateway.errors import ApiError

WINDOWS = {"gzip": 31, "x-gzip": 31, "deflate": 15}
"""Zlib's window and format, by name of the encoding."""


def decoded(body: bytes, encoding: str, most: int) -> bytes:
    """Return a body without its compression.

    Args:
        body: The body as it came.
        encoding: Its ``Content-Encoding``.
        most: Most bytes that it may have; a body that holds more is never expanded further than that.

    Raises:
        ApiError: 413 if it holds more, 415 if the encoding is not read, 400 if it is damaged.
    """
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return body
    if name not in WINDOWS:
        raise ApiError(
            415, f"Content-Encoding '{name[:40]}' is not read: send gzip, or the body as it is",
            code="unsupported_encoding",
        )  # fmt: skip
    expanded = b""
    while body:
        expander = zlib.decompressobj(WINDOWS[name])
        try:
            expanded += expander.decompress(body, most + 1 - len(expanded))
        except zlib.error as error:
            raise ApiError(400, f"the body is not {name}", code="invalid_encoding") from error
        if len(expanded) > most:
            raise too_large(most)
        if not expander.eof:
            raise ApiError(400, f"the body is {name} that ends too early", code="invalid_encoding")
        # A gzip file may have several members.
        body = expander.unused_data
    return expanded


def too_large(most: int) -> ApiError:
    """Return the error of a body that is larger than ``most`` bytes."""
    return ApiError(413, f"the request is larger than {most} bytes", code="request_too_large")
