"""The text of a message or a delta, which servers write in many ways, apart from reasoning shown beside it."""

from typing import Any

from distillgame.gateway.errors import ApiError

REASONING = ("reasoning_content", "reasoning", "reasoning_details", "reasoning_text", "thinking", "thoughts")
"""Fields for reasoning that is shown apart; if there are several, they hold the same."""

TEXTS = ("text", "output_text", "refusal")
"""Types of a content's parts that belong to the completion."""

UNASKED = ("tool_calls", "function_call", "audio", "images")
"""Fields of completions that are no text. Nobody asked for them, and without them a completion is not whole."""


def completion_text(said: dict[str, Any]) -> str:
    """Return the text that belongs to the completion.

    Args:
        said: A delta, a message or a choice.

    Raises:
        ApiError: 502, if something in it is no text and would be lost.
    """
    for name in UNASKED:
        if said.get(name):
            raise _lost(name)
    content = said.get("text") if said.get("content") is None else said["content"]
    return _visible(content) + _visible(said.get("refusal"))


def hidden_text(said: dict[str, Any]) -> str:
    """Return the reasoning that is shown apart from the completion.

    Args:
        said: A delta, a message or a choice.
    """
    apart = max((_plain(said.get(name)) for name in REASONING), key=len)
    content = said.get("content")
    parts = content if isinstance(content, list) else [content]
    return apart + "".join(_plain(part) for part in parts if _is_reasoning(part))


def _visible(content: Any) -> str:
    """Return the text of a content that may come in parts."""
    if isinstance(content, list):
        return "".join(_visible(part) for part in content)
    if content is None or _is_reasoning(content):
        return ""
    if isinstance(content, dict) and content.get("type", "text") in TEXTS:
        kind = content.get("type", "text")
        content = content.get("text", content.get(kind) if isinstance(kind, str) else None)
    if not isinstance(content, str):
        raise _lost("content")
    return content


def _is_reasoning(part: Any) -> bool:
    kind = str(part.get("type")) if isinstance(part, dict) else ""
    return "thinking" in kind or "reasoning" in kind


def _plain(value: Any) -> str:
    """Return all text in a value: a text, a part, or parts of parts."""
    if isinstance(value, dict):
        return "".join(
            _plain(inner) for name, inner in value.items() if name in ("text", "summary", "content", *REASONING)
        )
    if isinstance(value, list):
        return "".join(map(_plain, value))
    return value if isinstance(value, str) else ""


def _lost(name: str) -> ApiError:
    return ApiError(502, f"the upstream sent '{name}' that is no text", code="upstream_failed")
