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

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from distillgame.models import Example
from distillgame.policies.seeds import contexts_within

CLIP = 3.0
"""Largest preference, in nats: a token that one model rules out must not outweigh all others."""

SUPPORT = 32
"""Most tokens of a position that are kept, the reference's likeliest."""

CERTAIN = 0.999
"""Probability of the likeliest token from which a position has no choice, and says nothing."""

NUMBERS_AT_ONCE = 2**20
"""Numbers per step, positions times vocabulary: 8 MB in double precision."""

Context = tuple[int, ...]
Read = Callable[[list[int]], torch.Tensor]
"""Gives the reference's log-probabilities at some positions of a text, float64, shape (R, V)."""
Prefer = Callable[[list[int], torch.Tensor], torch.Tensor]
"""Gives the suspect's preferences there in nats, shape (R, V), from the positions and those log-probabilities."""


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

    Whole distributions are there for a few positions at a time: a vocabulary may have 150,000 tokens.

    Args:
        width: Number of tokens of a context.
        size: Size of the vocabulary.
    """

    def __init__(self, width: int, size: int):
        self._width, self._rows = width, max(1, NUMBERS_AT_ONCE // size)
        self._texts, self._bits = 0, 0.0
        self._sums: dict[Context, _Sums] = {}

    def add(self, example: Example, read: Read, prefer: Prefer) -> None:
        """Add one text.

        Args:
            example: The text.
            read: Gives the reference's log-probabilities.
            prefer: Gives the suspect's preferences.
        """
        self._texts += 1
        contexts = self._new_contexts(example)
        places = list(contexts)
        for start in range(0, len(places), self._rows):
            block = places[start : start + self._rows]
            logprobs = read(block)
            unsure = (logprobs.amax(-1) < math.log(CERTAIN)).nonzero()[:, 0].tolist()
            if unsure:
                chosen, logprobs = [block[i] for i in unsure], logprobs[unsure]
                self._add([contexts[place] for place in chosen], logprobs, prefer(chosen, logprobs))

    def positions(self) -> Positions:
        """Return what was collected, contexts in the order in which they were found."""
        return Positions(self._texts, self._bits, [_position(context, sums) for context, sums in self._sums.items()])

    def _new_contexts(self, example: Example) -> dict[int, Context]:
        """Return the contexts that occur for the first time in a text's target, by place."""
        text = [*example.prompt, *example.target]
        seen: set[Context] = set(contexts_within(example.prompt, self._width))
        found = {}
        for place in range(len(example.target)):
            end = len(example.prompt) + place
            context = tuple(text[max(0, end - self._width) : end])
            if context not in seen:
                seen.add(context)
                found[place] = context
        return found

    def _add(self, contexts: list[Context], logprobs: torch.Tensor, preference: torch.Tensor) -> None:
        probabilities = logprobs.exp()
        # A token that is ruled out is 0 times minus infinity here, and adds nothing.
        self._bits -= float((probabilities * logprobs).nansum()) / math.log(2)
        # What the suspect makes of the whole vocabulary at once says nothing about single tokens.
        mean = (probabilities * preference).sum(-1, keepdim=True)
        tokens = likeliest(logprobs)
        reference = probabilities.gather(-1, tokens)
        weighted = reference * (preference.gather(-1, tokens) - mean)
        rows = zip(*(each.cpu().numpy() for each in (tokens, reference, weighted)), strict=True)
        for context, row in zip(contexts, rows, strict=True):
            known = self._sums.get(context)
            # Copies: a row would keep the rows of all other contexts.
            self._sums[context] = _Sums(1, *(each.copy() for each in row)) if known is None else known.plus(*row)


@dataclass(frozen=True)
class _Sums:
    """The sums over the texts in which a context was found.

    Attributes:
        count: Number of texts.
        tokens: Ids of tokens, ascending, shape (K,).
        reference: Sums of their probabilities under the reference, shape (K,).
        weighted: Sums of these times the preferences, shape (K,).
    """

    count: int
    tokens: np.ndarray
    reference: np.ndarray
    weighted: np.ndarray

    def plus(self, tokens: np.ndarray, reference: np.ndarray, weighted: np.ndarray) -> "_Sums":
        """Return the sums with one more text."""
        found, places = np.unique(np.concatenate([self.tokens, tokens]), return_inverse=True)
        sums = (
            np.bincount(places, np.concatenate(both), len(found))
            for both in ((self.reference, reference), (self.weighted, weighted))
        )
        return _Sums(self.count + 1, found, *sums)


def likeliest(logprobs: torch.Tensor) -> torch.Tensor:
    """Return the ids of the likeliest tokens of each row, ascending, shape (R, K); among equals those with lower ids.

    Args:
        logprobs: Log-probabilities, shape (R, V).
    """
    kept = min(SUPPORT, logprobs.shape[-1])
    least = logprobs.topk(kept).values[:, -1:]
    above, level = logprobs > least, logprobs == least
    room = kept - above.sum(-1, keepdim=True)
    chosen = above | (level & (level.cumsum(-1, dtype=torch.int32) <= room))
    return chosen.nonzero()[:, 1].view(len(logprobs), kept)


def _position(context: Context, sums: _Sums) -> Position:
    kept = np.sort(np.argsort(-sums.reference, kind="stable")[:SUPPORT])
    reference = sums.reference[kept]
    preference = sums.weighted[kept] / np.maximum(reference, 1e-12)
    reference = reference / reference.sum()
    return Position(
        context, sums.count, sums.tokens[kept], reference, preference - float((reference * preference).sum())
    )
