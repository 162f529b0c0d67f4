"""Conversations from files that others wrote, checked and in the form that chat templates read."""

from typing import Any

from distillgame.errors import DistillgameError
from distillgame.tables import check_text

TEXT_PARTS = ("text", "input_text", "output_text")
"""Types of a content's parts that are text, in OpenAI's two interfaces."""


def conversation(messages: Any, where: str) -> list[dict[str, str]]:
    """Return messages with role and content only, both texts.

    Args:
        messages: A list of ``{role, content}``, whose content may be a list of text parts.
        where: Their place, for messages.

    Raises:
        DistillgameError: If they are anything else.
    """
    turns = messages if isinstance(messages, list) else [messages]
    for turn in turns or [None]:
        shaped = isinstance(turn, dict) and isinstance(turn.get("role"), str)
        if not shaped or not isinstance(turn.get("content"), str | list | dict):
            shown = repr(turn)[:80]
            raise DistillgameError(f"{where}: 'messages' must list {{role, content}} with texts (found {shown})")
    return [{"role": turn["role"], "content": content_text(turn["content"], where)} for turn in turns]


def content_text(content: Any, where: str) -> str:
    """Return the text of a message's content, which may come in parts.

    Args:
        content: A text, a part (a text, or ``{"type": "text", "text": ...}``), or a list of parts.
        where: Its place, for messages.

    Raises:
        DistillgameError: If a part is no text, or the text is not encodable.
    """
    parts = content if isinstance(content, list) else [content]
    text = "".join(_part(part, where) for part in parts)
    check_text(text, f"{where}: 'content'")
    return text


def _part(part: Any, where: str) -> str:
    if isinstance(part, str):
        return part
    kind = part.get("type", "text") if isinstance(part, dict) else None
    text = part.get("text") if isinstance(part, dict) else None
    # Parquet gives every part the fields of all parts, null where they are not its own.
    if kind not in (*TEXT_PARTS, None) or not isinstance(text, str):
        shown = f"type {kind!r}" if isinstance(kind, str) and kind not in TEXT_PARTS else repr(part)[:80]
        raise DistillgameError(f"{where}: 'content' must be a text or a list of text parts (found {shown})")
    return text
