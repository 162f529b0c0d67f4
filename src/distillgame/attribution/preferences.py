"""The preferences of a suspect: of one whose weights are open, and of one that is known by what it writes."""

from collections.abc import Callable, Sequence
from functools import partial

import torch

from distillgame.attribution.positions import CLIP, Collector, Positions, Prefer
from distillgame.attribution.reading import (
    Distributions,
    Reading,
    distributions,
    grouped,
    readable,
    require_same_tokens,
)
from distillgame.models import Example, LanguageModel
from distillgame.records import ReleasedTrace

Progress = Callable[[int, int], None]


def read_weights(
    texts: Sequence[ReleasedTrace], reading: Reading, suspect: LanguageModel, progress: Progress | None = None
) -> Positions:
    """Return the positions of texts, with the preferences of a suspect whose weights are open.

    The preference for a token is log pi_suspect - log pi_reference, clipped.

    Args:
        texts: Any texts: what an owner was released, or what was made for other prompts.
        reading: How they are read.
        suspect: The suspect, which has the reference's vocabulary.
        progress: Told how many texts were read.

    Raises:
        DistillgameError: If it has another one.
    """
    require_same_tokens(suspect, reading.reference)

    def prefer(group: list[Example]) -> list[Prefer]:
        return [partial(_over_reference, other) for other in distributions(suspect, group, 1.0)]

    return _read(texts, reading, prefer, progress)


def read_samples(texts: Sequence[ReleasedTrace], reading: Reading, progress: Progress | None = None) -> Positions:
    """Return the positions of texts that the suspect wrote itself.

    The preference for the token that it wrote is 1/pi_reference - 1, clipped, and that for all others is 0.

    Args:
        texts: The suspect's texts.
        reading: How they are read.
        progress: Told how many texts were read.
    """
    return _read(texts, reading, lambda group: [partial(_written, example) for example in group], progress)


def _read(
    texts: Sequence[ReleasedTrace],
    reading: Reading,
    prefer: Callable[[list[Example]], list[Prefer]],
    progress: Progress | None,
) -> Positions:
    model, examples = reading.reference, readable(texts, reading)
    size = len(model.tokenizer)
    found, done = Collector(reading.width, size), 0
    for group in grouped(examples, size):
        _add_group(found, group, distributions(model, group, reading.temperature), prefer(group))
        done += len(group)
        if progress is not None:
            progress(done, len(examples))
    return found.positions()


def _add_group(
    found: Collector, group: list[Example], reference: list[Distributions], preferences: list[Prefer]
) -> None:
    for example, read, prefer in zip(group, reference, preferences, strict=True):
        found.add(example, read.at, prefer)


def _over_reference(suspect: Distributions, places: list[int], logprobs: torch.Tensor) -> torch.Tensor:
    # Where both rule a token out, their difference is not a number.
    return suspect.at(places).sub_(logprobs).nan_to_num_(0.0).clamp_(-CLIP, CLIP)


def _written(example: Example, places: list[int], logprobs: torch.Tensor) -> torch.Tensor:
    tokens = torch.tensor([[example.target[place]] for place in places], device=logprobs.device)
    surprise = torch.expm1(-logprobs.gather(-1, tokens)).clamp_(max=CLIP)
    return torch.zeros_like(logprobs).scatter_(-1, tokens, surprise)
