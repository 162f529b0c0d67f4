"""Chat templates, prompts, and training examples."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from distillgame.errors import DistillgameError

TEMPLATES = ("plain", "chatml")
"""Templates shipped with the package; ``plain`` is used for tokenizers without one."""


@dataclass(frozen=True)
class Example:
    """One training example.

    Attributes:
        prompt: Token ids that are read but not trained on.
        target: Token ids that are trained on.
    """

    prompt: tuple[int, ...]
    target: tuple[int, ...]


@lru_cache
def template(name: str) -> str:
    """Return the shipped chat template called ``name``."""
    return (Path(__file__).parent / "templates" / f"{name}.jinja").read_text(encoding="utf-8")


def prompt_ids(tokenizer: Any, messages: list[dict[str, str]]) -> list[int]:
    """Return the token ids of ``messages`` followed by the start of the assistant's turn.

    Raises:
        DistillgameError: If the template refuses the messages, or nothing is left of them.
    """
    try:
        ids = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=True, return_dict=False)
    except Exception as error:  # templates may raise any error
        raise DistillgameError(f"the chat template refuses the prompt: {' '.join(str(error).split())}") from error
    if not ids:
        raise DistillgameError("the prompt is empty: there is no token to condition on")
    return list(ids)


def training_example(tokenizer: Any, messages: list[dict[str, str]], ended: bool) -> Example:
    """Encode a conversation for training on its last message only.

    Prompt and completion are encoded separately, exactly as in generation: the target is the text that the model writes
    after its own prompt, so a template can neither leak prompt text into it nor merge tokens across the border.

    Args:
        tokenizer: The student's tokenizer.
        messages: The conversation; the last message is the assistant's.
        ended: Whether the completion ended by itself, so that the end-of-sequence token belongs to the target.

    Raises:
        DistillgameError: If there is no final assistant message.
    """
    if not messages or messages[-1]["role"] != "assistant":
        raise DistillgameError("a training conversation must end with an assistant message")
    target = tokenizer.encode(messages[-1]["content"], add_special_tokens=False)
    ending = [tokenizer.eos_token_id] if ended else []
    return Example(tuple(prompt_ids(tokenizer, messages[:-1])), tuple(target + ending))
