"""Positions: where a text had a choice, what the reference would have chosen, and what the suspect prefers.

A position is scored once per text and context, at the context's first occurrence, the prompt included. Up to there
nothing in the text depends on the numbers that a key gives to that context, also if that very key marked it. For a
suspect that has learnt nothing from the key, those numbers are therefore fresh randomness. The positions of a context
in several texts share them, and are merged into one.

For texts that the tested key did not mark, such as held-out ones, the suspect's own and the teacher's unmarked answers
to an owner's prompts, all of this is exact. For those that it did mark, which contexts come later depends on earlier
choices, and so on the key; a simulation of it is among the tests (``tests/attribution/test_released.py``). Texts must
not be chosen by their completions: whoever keeps the right ones chooses by the key.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from distillgame.attribution.reading import Reading, readable, require_same_tokens, token_distributions
from distillgame.models import Example, LanguageModel
from distillgame.policies.seeds import contexts_within
from distillgame.records import ReleasedTrace

CLIP = 3.0
"""Largest preference, in nats: a token that one model rules out must not outweigh all others."""

SUPPORT = 32
"""Most tokens of a position that are kept, the reference's likeliest."""

CERTAIN = 0.999
"""Probability of the likeliest token from which a position has no choice, and says nothing."""

Context = tuple[int, ...]
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Position:
    """A context at which there was a choice.

    Attributes:
        context: The last tokens before it.
        count: Number of texts in which it was found.
        tokens: Ids of the tokens between which the reference chooses, ascending, shape (K,).
        reference: Their mean probabilities under the reference, which sum to one, shape (K,).
        preference: By how much the suspect prefers each, in nats, with mean 0 under the reference, shape (K,).
    """

    context: Context
    count: int
    tokens: np.ndarray
    reference: np.ndarray
    preference: np.ndarray


@dataclass(frozen=True)
class Positions:
    """The positions of some texts.

    Attributes:
        texts: Number of texts that were read.
        bits: Entropy of the reference over all choices, in bits.
        found: The positions, one per context.
    """

    texts: int
    bits: float
    found: list[Position]


class Collector:
    """Collects the positions of texts.

    Args:
        width: Number of tokens of a context.
    """

    def __init__(self, width: int):
        self._width = width
        self._texts, self._bits = 0, 0.0
        self._sums: dict[Context, tuple[int, dict[int, list[float]]]] = {}

    def add(self, example: Example, reference: np.ndarray, preference: np.ndarray) -> None:
        """Add one text.

        Args:
            example: The text.
            reference: The reference's log-probabilities, shape (T, V).
            preference: The suspect's preferences in nats, shape (T, V).
        """
        self._texts += 1
        text = [*example.prompt, *example.target]
        seen: set[Context] = set(contexts_within(example.prompt, self._width))
        for place in range(len(example.target)):
            end = len(example.prompt) + place
            context = tuple(text[max(0, end - self._width) : end])
            if context not in seen:
                seen.add(context)
                self._add(context, reference[place], preference[place])

    def positions(self) -> Positions:
        """Return what was collected, contexts in the order in which they were found."""
        found = [_position(context, count, sums) for context, (count, sums) in self._sums.items()]
        return Positions(self._texts, self._bits, found)

    def _add(self, context: Context, logprobs: np.ndarray, preference: np.ndarray) -> None:
        if logprobs.max() >= np.log(CERTAIN):
            return
        row = np.exp(logprobs)
        known = row > 0
        self._bits -= float((row[known] * logprobs[known]).sum()) / np.log(2)
        kept = min(SUPPORT, len(row))
        tokens = np.argpartition(-row, kept - 1)[:kept]
        # What the suspect makes of the whole vocabulary at once says nothing about single tokens.
        centred = preference - float((row * preference).sum())
        count, sums = self._sums.get(context, (0, {}))
        for token in tokens.tolist():
            pair = sums.setdefault(token, [0.0, 0.0])
            pair[0] += float(row[token])
            pair[1] += float(row[token] * centred[token])
        self._sums[context] = (count + 1, sums)


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
    examples, found = readable(texts, reading), Collector(reading.width)
    ours = token_distributions(reading.reference, examples, reading.temperature)
    theirs = token_distributions(suspect, examples, 1.0)
    for done, ((example, reference), (_, other)) in enumerate(zip(ours, theirs, strict=True), start=1):
        # Where both rule a token out, their difference is not a number.
        found.add(example, reference, np.nan_to_num(other - reference).clip(-CLIP, CLIP))
        if progress is not None:
            progress(done, len(examples))
    return found.positions()


def read_samples(texts: Sequence[ReleasedTrace], reading: Reading, progress: Progress | None = None) -> Positions:
    """Return the positions of texts that the suspect wrote itself.

    The preference for the token that it wrote is 1/pi_reference - 1, clipped, and that for all others is 0.

    Args:
        texts: The suspect's texts.
        reading: How they are read.
        progress: Told how many texts were read.
    """
    examples, found = readable(texts, reading), Collector(reading.width)
    read = token_distributions(reading.reference, examples, reading.temperature)
    for done, (example, reference) in enumerate(read, start=1):
        written = np.zeros_like(reference)
        rows, tokens = np.arange(len(reference)), np.array(example.target)
        written[rows, tokens] = np.minimum(np.expm1(-reference[rows, tokens]), CLIP)
        found.add(example, reference, written)
        if progress is not None:
            progress(done, len(examples))
    return found.positions()


def _position(context: Context, count: int, sums: dict[int, list[float]]) -> Position:
    likeliest = sorted(sums, key=lambda token: -sums[token][0])[:SUPPORT]
    tokens = np.array(sorted(likeliest))
    reference, weighted = (np.array([sums[token][i] for token in tokens.tolist()]) for i in (0, 1))
    preference = weighted / np.maximum(reference, 1e-12)
    reference = reference / reference.sum()
    return Position(context, count, tokens, reference, preference - float((reference * preference).sum()))
