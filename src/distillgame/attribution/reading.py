"""Reading texts by the reference teacher and by a suspect whose weights are open."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from distillgame.errors import DistillgameError
from distillgame.models import Example, LanguageModel, training_example
from distillgame.records import ReleasedTrace
from distillgame.values import collate

TOKENS_AT_ONCE = 4096
"""Tokens per pass, padding included: a vocabulary of 150,000 takes 2.5 GB of logits for them."""


@dataclass(frozen=True)
class Reading:
    """The reference teacher and the contexts by which texts are read.

    Attributes:
        reference: The reference teacher, of whose tokens marks are made.
        temperature: The temperature at which it was released.
        width: Number of tokens of a context.
    """

    reference: LanguageModel
    temperature: float
    width: int


def readable(texts: Sequence[ReleasedTrace], reading: Reading) -> list[Example]:
    """Return texts as the reference's tokens, cut to its context.

    Leaving long ones out would choose texts by their completions. Those without a completion say nothing.

    Raises:
        DistillgameError: If nothing is left.
    """
    model = reading.reference
    found = []
    for text in texts:
        example = training_example(model.tokenizer, text.messages, text.finish_reason == "stop")
        room = max(0, int(min(model.context, 2**31)) - len(example.prompt))
        if target := example.target[:room]:
            found.append(replace(example, target=target))
    if not found:
        raise DistillgameError(
            f"none of the {len(texts)} texts can be read: completions are empty, or prompts fill the context of "
            f"'{model.source}'"
        )
    return found


def require_same_tokens(suspect: LanguageModel, reference: LanguageModel) -> None:
    """Check that a suspect's log-probabilities are about the tokens that marks are made of.

    Raises:
        DistillgameError: If its vocabulary is another one.
    """
    if suspect.tokenizer.get_vocab() != reference.tokenizer.get_vocab():
        raise DistillgameError(
            f"model '{suspect.source}': its vocabulary is not that of '{reference.source}', so its log-probabilities "
            "say nothing about marked tokens: let it write texts instead (--black-box)"
        )


@torch.no_grad()
def token_distributions(
    model: LanguageModel, examples: Sequence[Example], temperature: float
) -> Iterator[tuple[Example, np.ndarray]]:
    """Yield each example with log-probabilities at its target's positions, float64, shape (T, V).

    Args:
        model: The model that reads.
        examples: Prompts and targets in the model's own tokens.
        temperature: The temperature of the distributions.

    Raises:
        DistillgameError: If a model yields logits that are not numbers.
    """
    size = len(model.tokenizer)
    for group in _grouped(examples):
        batch = collate(group, int(model.tokenizer.pad_token_id or 0), model.device)
        logits = model.model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
        for row, example in zip(logits, group, strict=True):
            start, end = len(example.prompt) - 1, len(example.prompt) + len(example.target) - 1
            found = torch.log_softmax(row[start:end, :size].double() / temperature, -1)
            if found.isnan().any():
                raise DistillgameError(
                    f"model '{model.source}': its logits are not finite numbers: the weights are broken"
                )
            yield example, found.cpu().numpy()


def _grouped(examples: Sequence[Example]) -> Iterator[list[Example]]:
    group: list[Example] = []
    longest = 0
    for example in examples:
        length = len(example.prompt) + len(example.target)
        if group and (len(group) + 1) * max(longest, length) > TOKENS_AT_ONCE:
            yield group
            group, longest = [], 0
        group.append(example)
        longest = max(longest, length)
    if group:
        yield group
