"""Reading texts by the reference teacher and by a suspect whose weights are open."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch

from distillgame.errors import DistillgameError
from distillgame.models import Example, LanguageModel, training_example
from distillgame.records import ReleasedTrace
from distillgame.values import collate

TOKENS_AT_ONCE = 4096
"""Most tokens per pass, padding included."""

LOGITS_AT_ONCE = 2**26
"""Most logits per pass, where a text does not take more: 256 MB in single precision."""


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


@dataclass(frozen=True)
class Distributions:
    """The distributions of a model at the positions of a text, of which only those that are asked for are computed.

    Attributes:
        source: The model, for messages.
        logits: Its logits at the positions, shape (T, V).
        temperature: The temperature.
    """

    source: str
    logits: torch.Tensor
    temperature: float

    def at(self, places: Sequence[int]) -> torch.Tensor:
        """Return the log-probabilities at some positions, float64, shape (R, V).

        Raises:
            DistillgameError: If the logits are not numbers.
        """
        found = torch.log_softmax(self.logits[list(places)].double().div_(self.temperature), -1)
        if found.isnan().any():
            raise DistillgameError(f"model '{self.source}': its logits are not finite numbers: the weights are broken")
        return found


@torch.no_grad()
def distributions(model: LanguageModel, examples: Sequence[Example], temperature: float) -> list[Distributions]:
    """Return the distributions at the targets' positions, one per example; all examples are read in one pass.

    Args:
        model: The model that reads.
        examples: Prompts and targets in the model's own tokens.
        temperature: The temperature of the distributions.
    """
    batch = collate(examples, int(model.tokenizer.pad_token_id or 0), model.device)
    read = model.model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], use_cache=False)
    size = len(model.tokenizer)
    spans = [slice(len(each.prompt) - 1, len(each.prompt) + len(each.target) - 1) for each in examples]
    return [
        Distributions(model.source, row[span, :size], temperature) for row, span in zip(read.logits, spans, strict=True)
    ]


def grouped(examples: Sequence[Example], size: int) -> Iterator[list[Example]]:
    """Yield examples in groups that are read in one pass.

    Args:
        examples: The examples.
        size: Size of the vocabulary.
    """
    most = min(TOKENS_AT_ONCE, LOGITS_AT_ONCE // size)
    group: list[Example] = []
    longest = 0
    for example in examples:
        length = len(example.prompt) + len(example.target)
        if group and (len(group) + 1) * max(longest, length) > most:
            yield group
            group, longest = [], 0
        group.append(example)
        longest = max(longest, length)
    if group:
        yield group
