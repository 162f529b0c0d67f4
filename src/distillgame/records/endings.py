"""Finish reasons in the spellings of servers, as the two that a trace may have: ``stop`` and ``length``."""

import math
import re
from typing import Any, Literal

Ending = Literal["stop", "length"]
"""A completion that ended by itself or at a stop string, or one that was cut at its length."""

_STOP = """
    stop stopped stop_sequence stop_string stop_str stop_word stop_words stop_token stop_token_id stop_criteria
    stop_criteria_met finished_stopped eos eos_token eos_token_id eos_id end_id end_token end_of_sequence end_of_text
    endoftext end_of_turn end_turn turn_end eot eot_id eom im_end end complete completed finish finished done succeeded
    word stopped_eos stopped_word
"""
"""Also of Anthropic (``end_turn``, ``stop_sequence``), OpenAI's responses (``completed``), Cohere (``COMPLETE``), TGI
(``eos_token``), llama.cpp (``eos``, ``word``), vLLM's states (``FINISHED_STOPPED``), TensorRT-LLM (``end_id``), Bedrock
(``FINISH``, ``STOP_CRITERIA_MET``, ``endoftext``)."""

_LENGTH = """
    length limit max_tokens max_length max_len max_new_tokens max_output_tokens max_completion_tokens
    max_tokens_reached max_context max_tokens_exceeded max_length_exceeded model_length model_context_window_exceeded
    context_length context_length_exceeded context_window_exceeded context_limit token_limit length_limit error_limit
    length_capped finished_length_capped stopped_limit truncated
"""
"""Also of Anthropic and Gemini (``max_tokens``), Mistral (``model_length``), Cohere (``ERROR_LIMIT``), llama.cpp
(``limit``), vLLM's states (``FINISHED_LENGTH_CAPPED``), watsonx (``TOKEN_LIMIT``), xAI (``REASON_MAX_LEN``)."""

_ENDINGS: dict[str, Ending] = {
    **dict.fromkeys(_STOP.split(), "stop"),
    **dict.fromkeys(_LENGTH.split(), "length"),
}
_PREFIX = re.compile(r"^(?:(?:finish|stop|done|completion)_?)?reason[_.]|^request_?status\.")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")


def ending(reason: Any) -> Ending | None:
    """Return the ending that a server's finish reason stands for; None if it stands for neither.

    Upper case, hyphens and the names of enumerations (``FinishReason.STOP``, ``FINISH_REASON_MAX_TOKENS``) do not
    matter. SGLang writes an object, ``{"type": "stop"}``.

    Args:
        reason: The reason as found. A missing one (null, an empty text, not a number) counts as ``stop``: nothing says
            that the completion was cut.
    """
    if isinstance(reason, dict):
        reason = reason.get("type", reason)
    if reason is None or (isinstance(reason, float) and math.isnan(reason)):
        return "stop"
    if not isinstance(reason, str):
        return None
    plain = _HUMP.sub("_", reason.strip()).lower().replace("-", "_").replace(" ", "_").strip("<|>")
    return _ENDINGS.get(_PREFIX.sub("", plain)) if plain else "stop"
