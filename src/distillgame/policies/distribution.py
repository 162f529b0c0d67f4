"""Softmaxes of many rows of logits, computed only as far as needed.

Over a large vocabulary every pass over memory costs time. Rows are therefore processed a few at a time, so that
intermediate results stay in the processor's cache, and only sums are kept, not probabilities.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property

import torch

BLOCK = 256
"""Number of tokens per block, whose weights are kept as one sum in a large vocabulary."""

LARGE = 2048
"""Number of tokens above which a vocabulary is large."""

AT_ONCE = 200_000
"""Number of logits processed at a time."""


class Distribution:
    """Distributions over a vocabulary at a temperature.

    Args:
        logits: Logits before temperature, float32, shape (B, V); no gradient flows through them.
        temperature: At 0 all mass is on the likeliest token.
        summary: ``top`` and ``sums``, if known already.
    """

    def __init__(
        self, logits: torch.Tensor, temperature: float, summary: tuple[torch.Tensor, torch.Tensor] | None = None
    ):
        self.logits, self.temperature = logits.detach(), temperature
        if summary is not None:
            self.__dict__["_summary"] = summary

    @cached_property
    def _summary(self) -> tuple[torch.Tensor, torch.Tensor]:
        scratch = Scratch(self.logits)
        parts = [scratch.weigh(self.logits[rows], self.temperature)[:2] for rows in scratch.portions()]
        top, sums = join(parts)
        return top, sums

    @property
    def top(self) -> torch.Tensor:
        """The largest logit, shape (B, 1)."""
        return self._summary[0]

    @property
    def sums(self) -> torch.Tensor:
        """Sums of weights (probabilities relative to the likeliest token's) per block, shape (B, blocks)."""
        return self._summary[1]

    @property
    def _is_small(self) -> bool:
        """True if each block is one token, so that ``sums`` holds all weights."""
        return block_size(self.logits.shape[-1]) == 1

    @cached_property
    def total(self) -> torch.Tensor:
        """Sum of all weights, shape (B, 1)."""
        return self.sums.sum(-1, keepdim=True)

    @cached_property
    def normaliser(self) -> torch.Tensor:
        """Log-sum-exp of the tempered logits, shape (B, 1); only above temperature 0."""
        return self.top / self.temperature + self.total.log()

    @property
    def probabilities(self) -> torch.Tensor:
        """Probabilities, shape (B, V)."""
        if self._is_small:
            return self.sums / self.total
        return _weights(self.logits, self.top, self.temperature).div_(self.total)

    @property
    def logprobs(self) -> torch.Tensor:
        """Log-probabilities, shape (B, V)."""
        if self.temperature == 0:
            return self.probabilities.log()
        return torch.sub(self.logits, self.top).div_(self.temperature).sub_(self.total.log())

    def weights(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return the weights of some tokens, shape (B, n), from their ids, shape (B, n)."""
        if self._is_small:
            return self.sums.gather(-1, tokens)
        if self.temperature == 0:
            return self.probabilities.gather(-1, tokens)
        return _weights(self.logits.gather(-1, tokens), self.top, self.temperature)

    def logprob(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return the log-probability of one token per row, shape (B,), from their ids, shape (B,)."""
        column = tokens[:, None]
        if self.temperature == 0:
            return self.weights(column).log().squeeze(-1)
        ahead = self.logits.gather(-1, column) - self.top
        return (ahead / self.temperature - self.total.log()).squeeze(-1)

    def rows(self, rows: torch.Tensor) -> "Distribution":
        """Return some of the distributions, by their indices, shape (R,)."""
        return Distribution(self.logits[rows], self.temperature, (self.top[rows], self.sums[rows]))


class Scratch:
    """Reusable memory for the weights of a few rows.

    Args:
        logits: The rows, shape (B, V).
    """

    def __init__(self, logits: torch.Tensor):
        self.example = logits
        self.count, self.size = logits.shape
        on_cpu = logits.device.type == "cpu"
        # On an accelerator starting work costs more than doing it.
        self.step = min(max(1, AT_ONCE // self.size), self.count) if on_cpu else self.count
        self.block = block_size(self.size)

    @cached_property
    def room(self) -> torch.Tensor:
        """The memory, zero-padded to whole blocks."""
        return self.example.new_zeros((self.step, -(-self.size // self.block) * self.block))

    def portions(self) -> Iterator[slice]:
        """Yield the slices of rows that are processed at a time."""
        return (slice(start, start + self.step) for start in range(0, self.count, self.step))

    def weigh(self, logits: torch.Tensor, temperature: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return largest logits (n, 1), block sums (n, blocks) and weights (n, V), which the next call overwrites."""
        top = logits.amax(-1, keepdim=True)
        if self.block == 1:
            weights = _weights(logits, top, temperature)
            return top, weights.clone(), weights
        room = self.room[: len(logits)]
        weights = _weights(logits, top, temperature, room[:, : self.size])
        return top, room.view(len(room), -1, self.block).sum(-1), weights


def _weights(
    logits: torch.Tensor, top: torch.Tensor, temperature: float, out: torch.Tensor | None = None
) -> torch.Tensor:
    if temperature > 0:
        # The difference first: it is exact near the top, where at a low temperature all the mass is.
        ahead = torch.sub(logits, top, out=out)
        return (ahead if temperature == 1 else ahead.mul_(1 / temperature)).exp_()
    out = torch.zeros_like(logits) if out is None else out.zero_()
    # Infinity less itself is not a number, so that broken logits show here as they do above.
    return out.scatter_(-1, logits.argmax(-1, keepdim=True), (top - top).exp_())


def block_size(vocabulary: int) -> int:
    """Return the number of tokens per block: 1 in a small vocabulary."""
    return BLOCK if vocabulary > LARGE else 1


def join(parts: Sequence[tuple[torch.Tensor, ...]]) -> tuple[torch.Tensor, ...]:
    """Concatenate results that were computed for a few rows at a time."""
    return parts[0] if len(parts) == 1 else tuple(torch.cat(column) for column in zip(*parts, strict=True))
