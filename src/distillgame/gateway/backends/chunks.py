"""The chunks of another server's stream, read by what they may hold; everything else is a failure."""

import asyncio
import contextlib
import json
import math
import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

import httpx2

from distillgame.gateway.backends.wording import completion_text, hidden_text
from distillgame.gateway.errors import ApiError
from distillgame.records import ending

MOST_EVENT_BYTES = 8 * 1024 * 1024
"""Size of the largest event that is read."""

REST_SECONDS = 1.0
"""Most seconds to wait for the end of a response whose completion has ended, which keeps its connection alive."""

MOST_TOKENS = 10_000_000
"""Largest number of tokens that a usage may report; larger ones are no numbers of tokens."""

FILTERED = {
    "contentfilter", "contentfiltered", "contentfiltering", "filtered", "safety", "recitation", "blocklist", "spii",
    "prohibitedcontent", "refusal", "refused", "sensitive", "guardrail", "guardrails", "guardrailintervened",
}  # fmt: skip
"""Finish reasons, letters only, of completions that a filter has cut: also of Gemini, Anthropic and Bedrock."""

SIGNS_OF_LIFE = {"ping", "keepalive", "heartbeat"}
"""Types, letters only, of events that say nothing."""


@dataclass(frozen=True)
class Chunk:
    """One event of a stream.

    Attributes:
        text: What it adds to the completion; halves of surrogate pairs may be in it.
        hidden: What it adds to the reasoning that the server shows apart from the completion.
        whole: Whether both are the whole of a completion instead of an addition to it.
        finish: ``stop``, ``length`` or ``content_filter`` if the completion has ended.
        tokens: Number of tokens so far, as the server counts them.
        prompt_tokens: Number of tokens of the prompt, as the server counts them.
        report: What a distillgame server says about its cost.
    """

    text: str = ""
    hidden: str = ""
    whole: bool = False
    finish: str | None = None
    tokens: int | None = None
    prompt_tokens: int | None = None
    report: Any = None


def failed(what: str) -> ApiError:
    """Return the error of an upstream that failed."""
    return ApiError(502, f"the upstream {what}", code="upstream_failed")


async def read_chunks(response: httpx2.Response) -> AsyncGenerator[Chunk, None]:
    """Yield the chunks of a response until the server says that it is done, or closes it.

    Args:
        response: A response whose body was not read.

    Raises:
        ApiError: 502, if the server reports a failure in any form, or sends what is no chunk.
        httpx2.HTTPError: If the connection fails.
    """
    # Event streams are UTF-8 whatever a header says, and may begin with a byte-order mark.
    response.encoding = "utf-8-sig"
    # Servers call them text/plain and worse. EventSource insists on the name; OpenAI's clients do not look at it.
    response.headers["content-type"] = "text/event-stream"
    events = aiter(httpx2.EventSource(response, MOST_EVENT_BYTES))
    async for event in events:
        if event.data.strip() == "[DONE]":
            break
        if "error" in event.event.lower():
            raise failed("failed in the middle of a stream")
        if event.data.strip() and _letters(event.event) not in SIGNS_OF_LIFE:
            try:
                chunk = _chunk(json.loads(event.data))
            except (ValueError, RecursionError) as error:
                raise failed("sent a chunk that is not JSON") from error
            if chunk is not None:
                yield chunk
    with contextlib.suppress(TimeoutError, httpx2.HTTPError):
        async with asyncio.timeout(REST_SECONDS):
            async for _ in events:
                pass


def _chunk(data: Any) -> Chunk | None:
    """Return the chunk that an event holds; None if the event says nothing."""
    if not isinstance(data, dict):
        raise failed("sent a chunk that is no object")
    if not data or _letters(data.get("type")) in SIGNS_OF_LIFE:
        return None
    _check(data)
    if "choices" not in data and "usage" not in data:
        # An error in a spelling that nobody foresaw: {"code": 500, "message": "out of memory"}.
        raise failed("sent an object that is no chunk")
    choices = data.get("choices") or []
    if not isinstance(choices, list):
        raise failed("sent choices that are no list")
    usage = data.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    text = hidden = ""
    finish, whole = None, False
    for choice in choices:
        said, whole = _said(choice)
        text, hidden = text + completion_text(said), hidden + hidden_text(said)
        finish = worse(finish, _finish(choice.get("finish_reason")))
    return Chunk(
        text,
        hidden,
        whole,
        finish,
        _count(usage.get("completion_tokens")),
        _count(usage.get("prompt_tokens")),
        data.get("distillgame"),
    )


def worse(finish: str | None, other: str | None) -> str | None:
    """Return the one of two finish reasons that promises less: a completion that ended twice may not be whole."""
    return other if finish in (None, "stop") and other is not None else finish


def _said(choice: Any) -> tuple[dict[str, Any], bool]:
    """Return the part of a choice that holds its text, and whether that is the whole completion."""
    if not isinstance(choice, dict):
        raise failed("sent a choice that is no object")
    _check(choice)
    # Only one completion was requested.
    if choice.get("index") not in (None, 0, "0"):
        raise failed("sent a choice that was not requested")
    delta, message = choice.get("delta"), choice.get("message")
    if delta is not None and not isinstance(delta, dict):
        raise failed("sent a delta that is no object")
    if isinstance(message, dict) and not delta:
        said, whole = message, True
    else:
        said, whole = choice if delta is None else delta, False
    _check(said)
    return said, whole


def _check(said: dict[str, Any]) -> None:
    """Refuse an object that says that something failed, in whatever words."""
    named = (said.get(name) for name in ("object", "type", "status"))
    if any(isinstance(name, str) and re.search("error|fail", name, re.IGNORECASE) for name in named) or any(
        value and name.lower().startswith("err") for name, value in said.items()
    ):
        raise failed("failed in the middle of a stream")


def _finish(reason: Any) -> str | None:
    """Return the finish reason in OpenAI's words; None if the completion goes on."""
    if isinstance(reason, dict):
        reason = reason.get("type")
    if reason is None or reason in ("", "null"):
        return None
    if isinstance(reason, str):
        known = "content_filter" if _letters(reason).removeprefix("finishreason") in FILTERED else ending(reason)
        if known is not None:
            return known
    raise failed(f"ended a completion by {json.dumps(reason)[:40]}")


def _letters(name: Any) -> str:
    return re.sub("[^a-z]", "", str(name).lower())


def _count(number: Any) -> int | None:
    """Return a number of tokens; None for what is none: negative, not finite, not a number."""
    if isinstance(number, bool) or not isinstance(number, int | float | str):
        return None
    try:
        value = float(number)
    except (ValueError, OverflowError):
        return None
    return math.ceil(value) if 0 <= value <= MOST_TOKENS else None
