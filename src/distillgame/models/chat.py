"""Chat templates, prompts, and training examples."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from distillgame.errors import DistillgameError

TEMPLATES = ("plain", "chatml")
"""Templates shipped with the package; ``plain`` is used for tokenizers without one."""

TAG = re.compile(r"<[^<>\s]+>|\[[A-Z_]+\]")
"""A tag such as ``<think>``, ``<|channel|>`` or ``[THINK]``."""

LONGEST_PREFILL = 200
"""Characters at the end of a prompt in which such tags are looked for."""

TODAY = datetime(2024, 7, 26)
"""Today's date in every template: the one that Llama 3's falls back to. A prompt may not change at midnight."""

_DATE = re.compile(r"""(?<![\w.])strftime_now\(\s*(['"])((?:(?!\1)[^\\])*)\1\s*\)""")
_DATE_CALL = re.compile(r"(?<![\w.])strftime_now\s*\(")


@dataclass(frozen=True)
class Example:
    """One training example.

    Attributes:
        prompt: Token ids that are read but not trained on.
        target: Token ids that are trained on.
    """

    prompt: tuple[int, ...]
    target: tuple[int, ...]


def _dated(tokenizer: Any) -> str | None:
    """Return the tokenizer's template with one date in the place of today's; None if it has no template."""
    found = tokenizer.chat_template
    if isinstance(found, dict):
        found = found.get("default")
    return None if found is None else write_date(found)


@lru_cache(maxsize=64)
def write_date(template: str) -> str:
    """Return a template in which every call for today's date is the text of :data:`TODAY`.

    Transformers turns functions among a template's variables into text, so the call itself has to go.

    Raises:
        DistillgameError: If the date's format is not a plain text.
    """
    dated = _DATE.sub(lambda call: repr(TODAY.strftime(call[2])), template)
    if _DATE_CALL.search(dated):
        raise DistillgameError(
            "the chat template writes today's date in a format that it computes, so that prompts would change after "
            "midnight: name another chat_template"
        )
    return dated


@lru_cache
def template(name: str) -> str:
    """Return the shipped chat template called ``name``."""
    return (Path(__file__).parent / "templates" / f"{name}.jinja").read_text(encoding="utf-8")


def prompt_ids(tokenizer: Any, messages: list[dict[str, str]], told: Mapping[str, Any] | None = None) -> list[int]:
    """Return the token ids of ``messages`` followed by the start of the assistant's turn.

    Raises:
        DistillgameError: If the template refuses the messages, or nothing is left of them.
    """
    dated = _dated(tokenizer)
    try:
        ids = tokenizer.apply_chat_template(
            messages, chat_template=dated, add_generation_prompt=True, tokenize=True, return_dict=False,
            **(told or {}),
        )  # fmt: skip
    except Exception as error:  # templates may raise any error
        raise DistillgameError(f"the chat template refuses the prompt: {' '.join(str(error).split())}") from error
    if not ids:
        raise DistillgameError("the prompt is empty: there is no token to condition on")
    return list(ids)


def training_example(tokenizer: Any, messages: list[dict[str, str]], ended: bool) -> Example:
    """Encode a conversation for training on its last message only.

    Prompt and completion are encoded separately, exactly as in generation: the target is the text that the model writes
    after its own prompt, so a template can neither leak prompt text into it nor merge tokens across the border. Where
    the template itself begins the assistant's turn with a tag, as in ``<think>``, a completion that begins with that
    tag, too, is trained without it: the model reads the tag and never writes it.

    Args:
        tokenizer: The student's tokenizer.
        messages: The conversation; the last message is the assistant's.
        ended: Whether the completion ended by itself, so that the end-of-sequence token belongs to the target.

    Raises:
        DistillgameError: If there is no final assistant message.
    """
    if not messages or messages[-1]["role"] != "assistant":
        raise DistillgameError("a training conversation must end with an assistant message")
    prompt = tuple(prompt_ids(tokenizer, messages[:-1]))
    completion = _without_prefill(tokenizer, messages[:-1], messages[-1]["content"])
    target = tokenizer.encode(completion, add_special_tokens=False)
    ending = [tokenizer.eos_token_id] if ended else []
    return Example(prompt, tuple(target + ending))


def _without_prefill(tokenizer: Any, messages: list[dict[str, str]], completion: str) -> str:
    """Return the completion without the tags that the template puts at the start of the assistant's turn."""
    if TAG.match(completion.lstrip()) is None:
        return completion
    prompt = str(
        tokenizer.apply_chat_template(
            messages, chat_template=_dated(tokenizer), add_generation_prompt=True, tokenize=False
        )
    )[-LONGEST_PREFILL:]
    for tag in TAG.finditer(prompt):
        prefill = prompt[tag.start() :]
        if completion.lstrip().startswith(prefill.rstrip()):
            rest = completion.lstrip()[len(prefill.rstrip()) :]
            # The white space after the tag may differ; what the template writes of it is not the model's, either.
            space = prefill[len(prefill.rstrip()) :]
            return rest.removeprefix(space) if rest.startswith(space) else rest.lstrip()
    return completion
