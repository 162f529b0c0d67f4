"""The surprise of a trace to a language model that had no part in writing it."""

import torch

from distillgame.judges.base import Exhibit
from distillgame.models import Example, LanguageModel, training_example
from distillgame.values import collate, mean_logprob


def mean_log_probability(reader: LanguageModel, exhibit: Exhibit) -> float | None:
    """Return the mean log-probability of a trace's tokens behind its question, in nats.

    Of a trace longer than the reader's context, only the beginning counts.

    Returns:
        None if there is no token to read.
    """
    messages = [{"role": "user", "content": exhibit.question}, {"role": "assistant", "content": exhibit.text}]
    example = training_example(reader.tokenizer, messages, ended=False)
    room = min(len(example.target), reader.context - len(example.prompt))
    if room < 1:
        return None
    example = Example(example.prompt, example.target[: int(room)])
    # One at a time: beside a longer trace, padding would change the last digits.
    with torch.inference_mode():
        batch = collate([example], reader.tokenizer.pad_token_id, reader.device)
        return float(mean_logprob(reader.model, batch)[0])
