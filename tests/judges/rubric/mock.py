"""Models that answer as a test says: inspect_ai's mock, and an endpoint whose completions its client accepts."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import inspect_ai.model
import pytest
from inspect_ai.model import ModelOutput, ModelUsage, get_model

from distillgame.judges import Exhibit
from tests.endpoints import Reply, completion

EXHIBITS = [Exhibit(f"e{i}", f"How much is {i} + 1?", f"First {i}.\nThen {i} + 1.\nSo {i + 1}.") for i in range(4)]

Teller = Callable[[str, int], str]
"""Makes an answer from a call's text and the number of calls before it."""


def level(number: object, reason: str = "because") -> str:
    return json.dumps({"reason": reason, "level": number})


def reply(text: str | None, finish: str = "stop", **message: str) -> Reply:
    body = completion(text, finish, prompt_tokens=7, completion_tokens=3, total_tokens=10).body
    body["choices"][0]["message"] |= message
    return Reply({"id": "1", "object": "chat.completion", "created": 1, "model": "m", **body})


def mock(monkeypatch: pytest.MonkeyPatch, tell: Teller, stop: Any = "stop") -> list[tuple[str, Any]]:
    """Have ``mockllm/model`` answer; returns the calls' texts and settings, which grow."""
    asked: list[tuple[str, Any]] = []

    def answer(messages: list[Any], tools: Any, choice: Any, config: Any) -> ModelOutput:
        asked.append((messages[-1].text, config))
        output = ModelOutput.from_content("m", tell(messages[-1].text, len(asked) - 1), stop_reason=stop)
        # Without a usage, the mock counts tokens with a table that it fetches from the network.
        output.usage = ModelUsage(input_tokens=7, output_tokens=3, total_tokens=10)
        return output

    monkeypatch.setattr(inspect_ai.model, "get_model", partial(get_model, custom_outputs=answer))
    return asked
