"""OpenAI's responses and stream chunks, as JSON."""

import json
import time
from dataclasses import dataclass, field
from typing import Any

from distillgame.gateway.backends import Piece, TokenLogprob
from distillgame.gateway.ledger import Charge


@dataclass
class Completion:
    """A completion as it is put together.

    Attributes:
        text: The text that was released so far.
        logprobs: Its tokens with their log-probabilities, if they are shown.
        finish: The finish reason, once it has ended.
    """

    text: str = ""
    logprobs: list[TokenLogprob] = field(default_factory=list)
    finish: str | None = None

    def add(self, piece: Piece) -> None:
        """Append a piece."""
        self.text += piece.text
        self.logprobs += piece.logprobs
        self.finish = piece.finish or self.finish


class ResponseBuilder:
    """Builds one response, whole or in chunks, from the released pieces of its completions.

    Args:
        request: The request's id.
        model: The model's name.
        completions: Number of completions.
        chat: Whether it answers a chat request.
        logprobs: Whether log-probabilities are shown.
        measured: Whether the receiver is the owner's own gateway, which is told what each chunk costs.

    Attributes:
        completions: The completions, by index.
    """

    def __init__(self, request: str, model: str, completions: int, *, chat: bool, logprobs: bool, measured: bool):
        self.completions = [Completion() for _ in range(completions)]
        self._chat, self._logprobs, self._measured = chat, logprobs, measured
        self._head = {"id": f"{'chatcmpl' if chat else 'cmpl'}-{request}", "created": int(time.time()), "model": model}
        self._offsets: dict[int, int] = {}
        self._opened: set[int] = set()

    def add(self, index: int, piece: Piece) -> None:
        """Append a piece to the completion with this index."""
        self.completions[index].add(piece)

    def events(self, index: int, piece: Piece) -> bytes:
        """Append a piece, and return its server-sent events; the first of a chat completion names the role."""
        self.add(index, piece)
        opening = b""
        if self._chat and index not in self._opened:
            self._opened.add(index)
            opening = event(self._chunk(index, {"delta": {"role": "assistant", "content": ""}}, None, []))
        body: dict[str, Any] = {"delta": {"content": piece.text}} if self._chat else {"text": piece.text}
        chunk = self._chunk(index, body, piece.finish, list(piece.logprobs))
        return opening + event(chunk | ({"distillgame": piece.charge.report()} if self._measured else {}))

    def usage_event(self, prompt_tokens: int, tokens: int) -> bytes:
        """Return the last event of a stream whose client wants its usage."""
        return event(self._headed(streams=True) | {"choices": [], "usage": usage(prompt_tokens, tokens)})

    def whole(self, prompt_tokens: int, spent: Charge) -> dict[str, Any]:
        """Return the body of a response that is not streamed."""
        bodies = []
        for index, done in enumerate(self.completions):
            body = {"index": index, "finish_reason": done.finish, "logprobs": self._shown(index, done.logprobs)}
            said = {"role": "assistant", "content": done.text, "refusal": None}
            bodies.append(body | ({"message": said} if self._chat else {"text": done.text}))
        answer = self._headed(streams=False) | {"choices": bodies, "usage": usage(prompt_tokens, spent.tokens)}
        return answer | ({"distillgame": spent.report()} if self._measured else {})

    def _chunk(
        self, index: int, body: dict[str, Any], finish: str | None, tokens: list[TokenLogprob]
    ) -> dict[str, Any]:
        choice = {"index": index, "finish_reason": finish, "logprobs": self._shown(index, tokens)} | body
        return self._headed(streams=True) | {"choices": [choice]}

    def _headed(self, *, streams: bool) -> dict[str, Any]:
        name = "text_completion" if not self._chat else f"chat.completion{'.chunk' if streams else ''}"
        return {**self._head, "object": name}

    def _shown(self, index: int, tokens: list[TokenLogprob]) -> dict[str, Any] | None:
        if not self._logprobs:
            return None
        if self._chat:
            content = [_entry(token) | {"top_logprobs": [_entry(top) for top in token.top]} for token in tokens]
            return {"content": content, "refusal": None}
        offsets, place = [], self._offsets.get(index, 0)
        for token in tokens:
            offsets.append(place)
            place += token.length
        self._offsets[index] = place
        return {
            "tokens": [token.token for token in tokens],
            "token_logprobs": [_finite(token.logprob) for token in tokens],
            "top_logprobs": [_legacy_top(token) for token in tokens],
            "text_offset": offsets,
        }


def usage(prompt_tokens: int, tokens: int) -> dict[str, int]:
    """Return the numbers of tokens in OpenAI's form."""
    return {"prompt_tokens": prompt_tokens, "completion_tokens": tokens, "total_tokens": prompt_tokens + tokens}


def event(data: dict[str, Any]) -> bytes:
    """Return one server-sent event, in ASCII: some clients take U+2028 and U+0085 for ends of lines."""
    return b"data: " + json.dumps(data, separators=(",", ":")).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"
"""The end of a stream."""


def _entry(token: TokenLogprob) -> dict[str, Any]:
    return {"token": token.token, "logprob": _finite(token.logprob), "bytes": _bytes(token.token)}


def _legacy_top(token: TokenLogprob) -> dict[str, float]:
    """Return the likeliest tokens' log-probabilities by text; if its text is another token's, a token is named by id.

    The text of the released token is its own, also if it is not among the likeliest.
    """
    owners = {token.token: token.id}
    found = {}
    for other in token.top:
        own = owners.setdefault(other.token, other.id) == other.id
        found[other.token if own else f"token_id:{other.id}"] = _finite(other.logprob)
    return found


def _bytes(token: str) -> list[int] | None:
    """Return a token's bytes; None if it is part of a character, because its text does not determine them."""
    return None if "\N{REPLACEMENT CHARACTER}" in token else list(token.encode())


def _finite(logprob: float) -> float:
    """Return a number that JSON can hold; OpenAI's clients know -9999 for minus infinity."""
    return max(logprob, -9999.0)
