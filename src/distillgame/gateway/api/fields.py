"""Fields of requests beyond those that are served.

Fields that could undo a defense are refused by name, with a reason; fields without effect here are accepted and
ignored; all others are refused as unknown.
"""

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
    "repetition_penalty": "it would tilt the released distribution",
    "guided_json": "it would tilt the released distribution",
    "guided_regex": "it would tilt the released distribution",
    "guided_choice": "it would tilt the released distribution",
    "allowed_token_ids": "it would tilt the released distribution",
    "bad_words": "it would tilt the released distribution",
    "vllm_xargs": "the policy is the owner's",
    "extra_args": "the policy is the owner's",
}
"""Fields that are refused, with the reason; values without effect (null, false, empty) are accepted."""

NEUTRAL: dict[str, Any] = {
    "frequency_penalty": 0,
    "presence_penalty": 0,
    "best_of": 1,
    "repetition_penalty": 1,
    "response_format": {"type": "text"},
    "tool_choice": "none",
    "function_call": "none",
    "modalities": ["text"],
}
"""Values without effect; other values of these fields are refused."""

IGNORED = {
    "user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key", "prompt_cache_retention",
    "parallel_tool_calls", "reasoning_effort", "verbosity",
}  # fmt: skip
"""Fields without effect here."""


def checked_fields(data: dict[str, Any], served: set[str]) -> dict[str, Any]:
    """Return the fields of a request without those that have no effect; unknown ones are left to the model to refuse.

    Args:
        data: The request.
        served: Names of the fields that are served.

    Raises:
        ValueError: If a field could undo a defense.
    """
    kept = {}
    for name, value in data.items():
        if name in served:
            kept[name] = value
        elif name in IGNORED or not value or (name in NEUTRAL and value == NEUTRAL[name]):
            # An unknown field is refused even if it is empty.
            if name not in IGNORED | set(NEUTRAL) | set(REFUSED):
                kept[name] = value
        elif name in REFUSED:
            raise ValueError(f"'{name}' is refused: {REFUSED[name]}")
        elif name in NEUTRAL:
            raise ValueError(f"'{name}' is refused: it would tilt the released distribution or change its form")
        else:
            kept[name] = value
    return kept
