"""The randomness of marks: a key per owner and epoch, a seed per context, and a number per token.

A mark is a choice among tokens that only a key explains. The key follows from one secret, the owner and the epoch; the
seed of a position is a keyed hash of the last few tokens before it; the number of a token is a mixture of its id and
the seed. Whoever lacks the key sees random numbers, and a key that was never used is a sample of the null hypothesis.
"""

import hashlib
import hmac
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

_STRIDE = -7046029254386353131
"""2^64 divided by the golden ratio, odd, as a signed integer: the step of the SplitMix64 generator."""

_MIX = (-4658895280553007687, -7723592293110705685)
"""The two multipliers of SplitMix64's output function, as signed integers (Steele, Lea and Flood, 2014)."""


def owner_key(secret: bytes, owner: str, epoch: int = 0) -> bytes:
    """Return the key of an owner's marks in an epoch: HMAC-SHA256 of both under the secret, 32 bytes."""
    name = json.dumps(["distillgame mark", owner, epoch], ensure_ascii=True)
    return hmac.new(secret, name.encode(), hashlib.sha256).digest()


@dataclass(frozen=True)
class Marking:
    """The rule by which a policy's marks follow from the text before them.

    Attributes:
        key: The owner's key for requests that bring none of their own, 32 bytes.
        width: Number of tokens before a position that its seed depends on; 0 for the same seed everywhere.
        salts: Number of seeds of a context, of which each request uses one.
        once: Whether only the first occurrence of a context, in the prompt or the completion, is marked: a draw that
            repeats its randomness would not be independent of the first one, and a prompt may quote marked text.
    """

    key: bytes
    width: int
    salts: int = 1
    once: bool = False


@dataclass(frozen=True)
class Seeds:
    """The seeds of N positions.

    Attributes:
        values: A seed per position, int64, shape (N,).
        marked: Whether the position is marked, bool, shape (N,).
        tokens: Ids of the tokens that the columns of logits stand for, shape (S,); None where they are 0 to V - 1.
    """

    values: torch.Tensor
    marked: torch.Tensor
    tokens: torch.Tensor | None = None

    def rows(self, rows: slice | torch.Tensor) -> "Seeds":
        """Return the seeds of some of the positions."""
        return Seeds(self.values[rows], self.marked[rows], self.tokens)

    def numbers(self, size: int) -> torch.Tensor:
        """Return a uniform number per position and column, float64, shape (N, size)."""
        tokens = torch.arange(size, device=self.values.device) if self.tokens is None else self.tokens
        return uniform_numbers(self.values, tokens)


def context_seed(key: bytes, context: Iterable[int], salt: int = 0) -> int:
    """Return the seed of a context: a hash of the salt and the token ids under the key, a signed 64-bit integer."""
    text = np.array([salt, *context], dtype="<i8").tobytes()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8, key=key).digest(), "little", signed=True)


def uniform_numbers(seeds: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    """Return numbers in (0, 1) that depend on a seed and a token alone, float64, shape (N, S).

    They are SplitMix64's, with the token as its counter: multiples of 2^-52, offset by half a step, so that neither 0
    nor 1 is among them.

    Args:
        seeds: Seeds, int64, shape (N,).
        tokens: Token ids, int64, shape (S,) for the same tokens everywhere, or (N, S).
    """
    return (_shifted(mixed(seeds, tokens), 12).double() + 0.5) * 2.0**-52


def mixed(seeds: torch.Tensor, counters: torch.Tensor) -> torch.Tensor:
    """Return SplitMix64's outputs, int64, shape (N, S), which may serve as further seeds.

    Args:
        seeds: Seeds, int64, shape (N,).
        counters: Which outputs of each, int64, shape (S,) or (N, S).
    """
    state = seeds[:, None] + (counters + 1) * _STRIDE
    state = (state ^ _shifted(state, 30)) * _MIX[0]
    state = (state ^ _shifted(state, 27)) * _MIX[1]
    return state ^ _shifted(state, 31)


def _shifted(state: torch.Tensor, bits: int) -> torch.Tensor:
    """Return an unsigned shift to the right; PyTorch's copies the sign."""
    return (state >> bits) & ((1 << (64 - bits)) - 1)


def context_of(before: Sequence[int], width: int) -> tuple[int, ...]:
    """Return the context of a position: the last ``width`` tokens before it, or as many as there are."""
    return tuple(before[max(0, len(before) - width) :])


def contexts_within(prompt: Sequence[int], width: int) -> list[tuple[int, ...]]:
    """Return the contexts of the tokens of a prompt; that of the first token after it is not among them."""
    return [tuple(prompt[max(0, end - width) : end]) for end in range(len(prompt))] if width else []


class ContextSeeds:
    """The seeds of one completion, position by position.

    Args:
        marking: The policy's rule.
        prompt: The prompt's tokens.
        key: The key of the request's owner; the rule's own if None.
        salt: The seed of each context that this request uses, below ``marking.salts``.
    """

    def __init__(self, marking: Marking, prompt: Sequence[int], key: bytes | None = None, salt: int = 0):
        self._marking, self._key, self._salt = marking, key or marking.key, salt
        self._contexts: list[tuple[int, ...]] = []
        before = contexts_within(prompt, marking.width) if marking.once else []
        self._first: dict[tuple[int, ...], int] = dict.fromkeys(before, -1)

    @property
    def width(self) -> int:
        """Number of tokens of a context."""
        return self._marking.width

    def at(self, position: int, before: Sequence[int]) -> tuple[int, bool]:
        """Return the seed of a position, and whether it is marked.

        Args:
            position: Number of sampled tokens before it. All positions before it have been asked for; those after it
                are forgotten, as drafts are.
            before: The tokens before it, at least as many as a context has.
        """
        context = context_of(before, self._marking.width)
        self._forget(position)
        self._contexts.append(context)
        first = self._first.setdefault(context, position)
        return context_seed(self._key, context, self._salt), first == position or not self._marking.once

    def _forget(self, position: int) -> None:
        while len(self._contexts) > position:
            context = self._contexts.pop()
            if self._first.get(context) == len(self._contexts):
                del self._first[context]
