"""The messages of a conversation, and the text of them that the campaign monitor reads."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, model_validator

from distillgame.gateway.api.fields import IGNORED_OF_MESSAGES, IGNORED_OF_PARTS, without


class Part(BaseModel):
    """A part of a message's content; text only."""

    model_config = ConfigDict(extra="forbid")

    type: Literal["text"]
    text: str

    @model_validator(mode="before")
    @classmethod
    def _drop(cls, data: Any) -> Any:
        return without(data, IGNORED_OF_PARTS, set(cls.model_fields))


class Message(BaseModel):
    """A message: role and content, without anything else that clients send back of earlier messages."""

    model_config = ConfigDict(extra="forbid")

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[Part] | None

    @model_validator(mode="before")
    @classmethod
    def _drop(cls, data: Any) -> Any:
        kept = without(data, IGNORED_OF_MESSAGES, set(cls.model_fields))
        if isinstance(kept, dict) and kept.get("role") == "assistant":
            kept.setdefault("content", None)
        return kept

    @model_validator(mode="after")
    def _check(self) -> "Message":
        if self.content is None and self.role != "assistant":
            raise ValueError("content: text is needed")
        return self

    def plain(self) -> dict[str, str]:
        """Return the message in the form that chat templates read."""
        content = self.content
        parts = content if isinstance(content, str | None) else [{"text": part.text} for part in content]
        return {"role": "system" if self.role == "developer" else self.role, "content": text_of(parts)}


def text_of(content: Any) -> str:
    """Return the text of a message's content: a string, a list of parts that have ``text``, or None.

    Raises:
        ValueError: If it is anything else.
    """
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise ValueError("content that is neither text nor a list of parts")
    texts: list[Any] = [part.get("text") if isinstance(part, Mapping) else part for part in content]
    if not all(isinstance(text, str) for text in texts):
        raise ValueError("a part of the content that has no 'text'")
    return "".join(texts)


def monitored_text(messages: Iterable[Mapping[str, Any]]) -> str:
    """Return the text that the campaign monitor reads of a conversation: every message except the assistant's.

    Both the reference and the traffic pass through here, so that they differ by what was asked alone.

    Raises:
        ValueError: If the content of a message is no text.
    """
    return "\n".join(text_of(message.get("content")) for message in messages if message.get("role") != "assistant")
