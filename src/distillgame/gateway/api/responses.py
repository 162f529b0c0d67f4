"""What clients get: OpenAI's bodies and stream chunks, as JSON."""

import json
import time
from dataclasses import dataclass, field
from typing import Any

from distillgame.gateway.backends.base import Piece, TokenLogprob
from distillgame.gateway.ledger.charge import Charge


@dataclass
class Choice:
    """A completion as it is put together.

    Attributes:
        text: What was released so far.
        logprobs: Its tokens with their log-probabilities, where they are shown.
        finish: Why it ended.
    """

    text: str = ""
    logprobs: list[TokenLogprob] = field(default_factory=list)
    finish: str | None = None

    def add(self, piece: Piece) -> None:
        """Take in a piece."""
        self.text += piece.text
        self.logprobs += piece.logprobs
        self.finish = piece.finish or self.finish


class Answer:
    """One response, whole or in chunks.

    Args:
        request: The request's id.
        model: The model's name.
        chat: Whether it answers a chat request.
        logprobs: Whether log-probabilities are shown.
        measured: Whether the receiver is a gateway of ours that is told what each chunk costs.
    """

    def __init__(self, request: str, model: str, *, chat: bool, logprobs: bool, measured: bool):
        self.chat, self.logprobs, self.measured = chat, logprobs, measured
        self.head = {"id": f"{'chatcmpl' if chat else 'cmpl'}-{request}", "created": int(time.time()), "model": model}
        self._offsets: dict[int, int] = {}

    def opening(self, index: int) -> dict[str, Any]:
        """The chunk that says who speaks; chat only."""
        return self._chunk(index, {"delta": {"role": "assistant", "content": ""}}, None, [])

    def chunk(self, index: int, piece: Piece) -> dict[str, Any]:
        """A chunk with a piece."""
        body: dict[str, Any] = {"delta": {"content": piece.text}} if self.chat else {"text": piece.text}
        chunk = self._chunk(index, body, piece.finish, list(piece.logprobs))
        return chunk | ({"distillgame": costs(piece.charge)} if self.measured else {})

    def usage_chunk(self, prompt_tokens: int, tokens: int) -> dict[str, Any]:
        """The last chunk, where usage was asked for."""
        return self._head(True) | {"choices": [], "usage": usage(prompt_tokens, tokens)}

    def whole(self, choices: list[Choice], prompt_tokens: int, spent: Charge) -> dict[str, Any]:
        """The response that is not streamed."""
        bodies = []
        for index, choice in enumerate(choices):
            body = {"index": index, "finish_reason": choice.finish, "logprobs": self._logprobs(index, choice.logprobs)}
            said = {"role": "assistant", "content": choice.text, "refusal": None}
            bodies.append(body | ({"message": said} if self.chat else {"text": choice.text}))
        answer = self._head(False) | {"choices": bodies, "usage": usage(prompt_tokens, spent.tokens)}
        return answer | ({"distillgame": costs(spent)} if self.measured else {})

    def _chunk(
        self, index: int, body: dict[str, Any], finish: str | None, tokens: list[TokenLogprob]
    ) -> dict[str, Any]:
        choice = {"index": index, "finish_reason": finish, "logprobs": self._logprobs(index, tokens)} | body
        return self._head(True) | {"choices": [choice]}

    def _head(self, streams: bool) -> dict[str, Any]:
        name = "text_completion" if not self.chat else f"chat.completion{'.chunk' if streams else ''}"
        return {**self.head, "object": name}

    def _logprobs(self, index: int, tokens: list[TokenLogprob]) -> dict[str, Any] | None:
        if not self.logprobs:
            return None
        if self.chat:
            content = [_entry(t.token, t.logprob) | {"top_logprobs": [_entry(*top) for top in t.top]} for t in tokens]
            return {"content": content, "refusal": None}
        offsets, place = [], self._offsets.get(index, 0)
        for token in tokens:
            offsets.append(place)
            place += len(token.token)
        self._offsets[index] = place
        return {
            "tokens": [token.token for token in tokens],
            "token_logprobs": [_finite(token.logprob) for token in tokens],
            "top_logprobs": [{text: _finite(logprob) for text, logprob in token.top} for token in tokens],
            "text_offset": offsets,
        }


def usage(prompt_tokens: int, tokens: int) -> dict[str, int]:
    """Tokens as OpenAI counts them."""
    return {"prompt_tokens": prompt_tokens, "completion_tokens": tokens, "total_tokens": prompt_tokens + tokens}


def costs(spent: Charge) -> dict[str, Any]:
    """What a gateway of ours is told."""
    return {"tokens": spent.tokens, "kl": spent.kl, "value": spent.value, "unvalued": spent.unvalued}


def read_costs(data: Any) -> Charge | None:
    """The same, read; None if it is not there or not sound."""
    if not isinstance(data, dict) or not isinstance(data.get("tokens"), int):
        return None
    amounts = [data.get("kl"), data.get("value")]
    if any(a is not None and (isinstance(a, bool) or not isinstance(a, int | float) or not a >= 0) for a in amounts):
        return None
    unvalued = data.get("unvalued", 0)
    return Charge(data["tokens"], amounts[0], amounts[1], unvalued if isinstance(unvalued, int) else 0)


def event(data: dict[str, Any]) -> bytes:
    """One server-sent event."""
    return b"data: " + json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"
"""How a stream ends."""


def _entry(token: str, logprob: float) -> dict[str, Any]:
    return {"token": token, "logprob": _finite(logprob), "bytes": _bytes(token)}


def _bytes(token: str) -> list[int] | None:
    """A token's bytes; None where it is part of a character, whose text hides them."""
    return None if "\N{REPLACEMENT CHARACTER}" in token else list(token.encode())


def _finite(logprob: float) -> float:
    """JSON has no infinity; OpenAI's clients know -9999."""
    return max(logprob, -9999.0)
