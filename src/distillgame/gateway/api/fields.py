"""Fields of requests beyond those that are served.

Fields that could undo a defense are refused by name, with a reason; fields without effect here are accepted and
ignored; so is any field that asks for nothing; all others are refused as unknown.
"""

from collections.abc import Mapping
from typing import Any

REFUSED = {
    "logit_bias": "it would tilt the released distribution",
    "echo": "log-probabilities of a prompt are not released",
    "prompt_logprobs": "log-probabilities of a prompt are not released",
    "best_of": "it would choose among completions by their log-probabilities",
    "suffix": "nothing is filled in",
    "tools": "there are no tools",
    "functions": "there are no tools",
    "tool_choice": "there are no tools",
    "function_call": "there are no tools",
    "modalities": "there is text only",
    "audio": "there is text only",
    "prediction": "drafts are the server's own business",
    "top_k": "truncation beyond top_p is not offered",
    "min_p": "truncation beyond top_p is not offered",
    "typical_p": "truncation beyond top_p is not offered",
    "repetition_penalty": "it would tilt the released distribution",
    "length_penalty": "completions are drawn, not searched for",
    "min_tokens": "it would tilt the released distribution",
    "guided_json": "it would tilt the released distribution",
    "guided_regex": "it would tilt the released distribution",
    "guided_choice": "it would tilt the released distribution",
    "allowed_token_ids": "it would tilt the released distribution",
    "bad_words": "it would tilt the released distribution",
    "vllm_xargs": "the policy is the owner's",
    "extra_args": "the policy is the owner's",
    "skip_special_tokens": "special tokens are never part of a completion's text",
    "add_special_tokens": "prompts are read with the tokens that the model puts before them",
    "add_generation_prompt": "the assistant's turn always begins",
}
"""Fields that are refused, with the reason; values without effect (null, false, empty) are accepted."""

ASKING_IF_FALSE = {"skip_special_tokens", "add_special_tokens", "add_generation_prompt"}
"""Fields that are true by default, so that false asks for something."""

NEUTRAL: dict[str, list[Any]] = {
    "frequency_penalty": [0],
    "presence_penalty": [0],
    "best_of": [1],
    "top_k": [0, -1],
    "min_p": [0],
    "typical_p": [1],
    "repetition_penalty": [1],
    "length_penalty": [1],
    "min_tokens": [0],
    "response_format": [{"type": "text"}],
    "tool_choice": ["none", "auto"],
    "function_call": ["none", "auto"],
    "modalities": [["text"]],
    "skip_special_tokens": [True],
    "spaces_between_special_tokens": [True],
    "add_special_tokens": [True],
    "add_generation_prompt": [True],
    "detokenize": [True],
}
"""Values without effect; other values of these fields are refused."""

IGNORED = {
    "user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key", "prompt_cache_retention",
    "parallel_tool_calls", "reasoning_effort", "verbosity", "id", "request_id", "session_id", "keep_alive",
    "cache_prompt", "cache_control", "include_reasoning", "separate_reasoning", "continuous_usage_stats", "id_slot",
    "timings_per_token", "return_progress", "timeout",
}  # fmt: skip
"""Fields without effect here."""

IGNORED_OF_MESSAGES = {
    "id", "name", "cache_control", "reasoning", "reasoning_content", "reasoning_details", "thinking_blocks",
    "provider_specific_fields", "metadata", "timestamp", "created", "created_at", "createdAt",
}  # fmt: skip
"""Fields of earlier messages without effect here: chat templates read role and content."""

IGNORED_OF_PARTS = {"id", "cache_control", "annotations", "prompt_cache_breakpoint"}
"""Fields of parts of a message's content without effect here."""


def asks_nothing(value: Any) -> bool:
    """Return whether a field's value asks for nothing: it is null, false or empty. Zero is a number like any other."""
    return value is None or value is False or (isinstance(value, str | list | dict) and not value)


def without(data: Any, ignored: set[str], served: set[str]) -> Any:
    """Return an object without the fields that are ignored or ask for nothing; what is no object, as it is."""
    if not isinstance(data, dict):
        return data
    return {
        name: value
        for name, value in data.items()
        if name in served or not (name in ignored or asks_nothing(value))
    }  # fmt: skip


def checked_fields(data: dict[str, Any], served: Mapping[str, bool]) -> dict[str, Any]:
    """Return the fields of a request without those that have no effect; unknown ones are left to the model to refuse.

    Args:
        data: The request.
        served: The fields that are served, with whether they are required.

    Raises:
        ValueError: If a field could undo a defense.
    """
    kept = {}
    for name, value in data.items():
        nothing = asks_nothing(value) and not (value is False and name in ASKING_IF_FALSE)
        if name in served:
            if served[name] or not nothing:
                kept[name] = value
        elif name in IGNORED or nothing or any(value == neutral for neutral in NEUTRAL.get(name, ())):
            continue
        elif name in REFUSED:
            raise ValueError(f"'{name}' is refused: {REFUSED[name]}")
        elif name in NEUTRAL:
            raise ValueError(f"'{name}' is refused: it would tilt the released distribution or change its form")
        else:
            kept[name] = value
    return kept
