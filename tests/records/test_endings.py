"""Finish reasons: every server's spelling is one of two, and nothing else passes."""

from typing import Any

import pytest

from distillgame.records import ending

STOP: dict[str, list[Any]] = {
    "OpenAI, vLLM, Mistral, Ollama": ["stop"],
    "OpenAI's responses": ["completed"],
    "Anthropic, Bedrock": ["end_turn", "stop_sequence", "endTurn"],
    "Gemini": ["STOP", "FinishReason.STOP", "FINISH_REASON_STOP"],
    "Cohere": ["COMPLETE", "STOP_SEQUENCE"],
    "TGI and Hugging Face": ["eos_token", "stop_sequence", "EOS", "eos"],
    "llama.cpp": ["eos", "word"],
    "vLLM's states": ["FINISHED_STOPPED", "RequestStatus.FINISHED_STOPPED"],
    "Titan and AI21": ["FINISH", "FINISHED", "endoftext", "STOP_CRITERIA_MET"],
    "watsonx and xAI": ["EOS_TOKEN", "REASON_STOP"],
    "SGLang": [{"type": "stop", "matched": 2}],
    "nothing said": [None, "", float("nan")],
}
LENGTH: dict[str, list[Any]] = {
    "OpenAI, TGI, vLLM, Ollama": ["length"],
    "OpenAI's responses": ["max_output_tokens"],
    "Anthropic": ["max_tokens", "model_context_window_exceeded", "maxTokens"],
    "Gemini": ["MAX_TOKENS", "FinishReason.MAX_TOKENS", "FINISH_REASON_MAX_TOKENS"],
    "Mistral": ["length", "model_length"],
    "Cohere": ["MAX_TOKENS", "ERROR_LIMIT"],
    "llama.cpp": ["limit"],
    "vLLM's states": ["FINISHED_LENGTH_CAPPED"],
    "Hugging Face": ["max_new_tokens", "max_length"],
    "watsonx and xAI": ["TOKEN_LIMIT", "REASON_MAX_LEN"],
    "SGLang": [{"type": "length", "length": 16}],
}
NEITHER = [
    "error", "abort", "FINISHED_ABORTED", "content_filter", "content-filter", "SAFETY", "RECITATION", "refusal",
    "tool_calls", "tool_use", "TOOL_CALL", "function_call", "pause_turn", "cancelled", "USER_CANCEL", "load", "null",
    "FinishReason.OTHER", "FINISH_REASON_UNSPECIFIED", "incomplete", "nonsense", "stop and length", "finish_reason.",
    3, 1, True, ["stop"], {"type": "abort"}, {"reason": "stop"}, {},
]  # fmt: skip


@pytest.mark.parametrize("reason", [reason for reasons in STOP.values() for reason in reasons])
def test_completions_that_ended_by_themselves(reason: object) -> None:
    assert ending(reason) == "stop"


@pytest.mark.parametrize("reason", [reason for reasons in LENGTH.values() for reason in reasons])
def test_completions_that_were_cut(reason: object) -> None:
    assert ending(reason) == "length"


@pytest.mark.parametrize("reason", NEITHER)
def test_others_are_neither(reason: object) -> None:
    assert ending(reason) is None
