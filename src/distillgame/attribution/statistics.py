"""The statistic of a key, and its distribution where the suspect knows nothing of the key.

The statistic is the sum over contexts of what the suspect prefers of the tokens that the key chose there. Its contexts
are independent, because each has a seed of its own. Two rules tell what a key chose:

* ``keyed``: the winner of the race of the reference's probabilities. Under a key that the suspect does not know the
  winner of a context is a draw from the reference.
* green lists (``watermark``, ``fingerprint``): the green tokens, in proportion to their probability. Under such a key
  each token is green on its own.

In both cases the moment-generating function of the statistic is known exactly, and so is the law that is tilted by it:
each context's part, multiplied by exp(tilt · part), is a law of the same kind.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import torch

from distillgame.attribution.positions import SUPPORT, Position
from distillgame.decoding.drawing import race
from distillgame.policies import Fingerprint, MarkPolicy, Watermark
from distillgame.policies.seeds import context_seed, mixed, uniform_numbers

COUNT_POWER = 0.5
"""A context that was found in n texts counts n to this power: more was learnt about it, and more alike."""


AT_ONCE = 2_000_000
"""About how many random numbers are held at once; one draw of green lists takes one per token and context."""


class Statistic(ABC):
    """The statistic of one kind of mark on the positions of some texts.

    Args:
        positions: The positions, of distinct contexts.
        salts: Number of seeds per context.

    Attributes:
        tokens: Their tokens, int64, shape (C, K); padded with token 0 of probability 0.
        reference: Their probabilities, float64, shape (C, K).
        preference: The suspect's weighted preferences, float64, shape (C, K).
    """

    def __init__(self, positions: Sequence[Position], salts: int = 1):
        self.contexts = [position.context for position in positions]
        self.salts = salts
        shape = (len(positions), max((len(p.tokens) for p in positions), default=SUPPORT))
        tokens, reference, preference = np.zeros(shape, np.int64), np.zeros(shape), np.zeros(shape)
        for row, position in enumerate(positions):
            size = len(position.tokens)
            tokens[row, :size], reference[row, :size] = position.tokens, position.reference
            preference[row, :size] = position.preference * position.count**COUNT_POWER
        self.tokens = torch.from_numpy(tokens)
        self.reference, self.preference = torch.from_numpy(reference), torch.from_numpy(preference)

    def of_key(self, key: bytes) -> float:
        """Return the statistic of a key."""
        if not self.contexts:
            return 0.0
        numbers = (uniform_numbers(self._seeds(key, salt), self.tokens) for salt in range(self.salts))
        return sum(self._chosen(each) for each in numbers) / self.salts

    def draws(self, key: bytes, numbers: torch.Tensor, tilt: float) -> np.ndarray:
        """Return numbered draws of the statistic from its tilted law, shape (N,).

        Args:
            key: The key from which the random numbers follow; it need not be a mark's.
            numbers: Numbers of the draws, int64, shape (N,).
            tilt: The tilt; 0 for the law under keys that the suspect does not know.
        """
        found = np.zeros(len(numbers))
        if not self.contexts:
            return found
        seeds, law = self._seeds(key), self._law(tilt / self.salts)
        block = max(1, AT_ONCE // self._numbers_per_draw)
        for salt in range(self.salts):
            for start in range(0, len(numbers), block):
                counters = numbers[start : start + block] * self.salts + salt
                found[start : start + block] += self._drawn(seeds, counters, law).numpy()
        return found / self.salts

    def _seeds(self, key: bytes, salt: int = 0) -> torch.Tensor:
        return torch.tensor([context_seed(key, context, salt) for context in self.contexts], dtype=torch.int64)

    @property
    @abstractmethod
    def deviation(self) -> float:
        """Standard deviation of the statistic of a key that the suspect does not know; its mean is 0."""

    @abstractmethod
    def cumulant(self, tilt: float) -> float:
        """Return log E exp(tilt · statistic) over keys that the suspect does not know."""

    @property
    @abstractmethod
    def _numbers_per_draw(self) -> int:
        """Random numbers that a draw takes."""

    @abstractmethod
    def _chosen(self, numbers: torch.Tensor) -> float:
        """Return the statistic for the uniform numbers of all tokens, shape (C, K)."""

    @abstractmethod
    def _law(self, tilt: float) -> torch.Tensor:
        """Return the probabilities by which a draw from the tilted law is made, shape (C, K)."""

    @abstractmethod
    def _drawn(self, seeds: torch.Tensor, counters: torch.Tensor, law: torch.Tensor) -> torch.Tensor:
        """Return draws, float64, shape (N,).

        Args:
            seeds: Seeds of the contexts, shape (C,).
            counters: Which outputs of the seeds the draws take, shape (N,).
            law: The probabilities.
        """


class RaceStatistic(Statistic):
    """The preference for winners of keyed races."""

    @property
    def deviation(self) -> float:
        """Root of the summed variances of the preference under the reference."""
        return float(((self.reference * self.preference**2).sum() / self.salts).sqrt())

    def cumulant(self, tilt: float) -> float:
        """Return the sum over contexts of log E exp of the winner's preference."""
        terms = torch.logsumexp(self.reference.log() + tilt / self.salts * self.preference, -1)
        return self.salts * float(terms.sum())

    def _chosen(self, numbers: torch.Tensor) -> float:
        winners = race(self.reference, numbers)
        return float(self.preference.gather(-1, winners[:, None]).sum())

    @property
    def _numbers_per_draw(self) -> int:
        return len(self.contexts)

    def _law(self, tilt: float) -> torch.Tensor:
        """Return the winner's probabilities."""
        return torch.softmax(self.reference.log() + tilt * self.preference, -1)

    def _drawn(self, seeds: torch.Tensor, counters: torch.Tensor, law: torch.Tensor) -> torch.Tensor:
        # The winner of a race is a draw from its speeds: one number decides it as well as one per token.
        sums = law.cumsum(-1)
        winners = torch.searchsorted(sums, uniform_numbers(seeds, counters) * sums[:, -1:], right=True)
        return self.preference.gather(-1, winners).sum(0)


class GreenStatistic(Statistic):
    """The preference for green tokens, in proportion to their probability.

    Args:
        positions: The positions, of distinct contexts.
        green: The share of green tokens.
        salts: Number of seeds per context.
    """

    def __init__(self, positions: Sequence[Position], green: float, salts: int = 1):
        super().__init__(positions, salts)
        self.green = green
        self.weights = self.reference * self.preference

    @property
    def deviation(self) -> float:
        """Root of the summed variances of independent lists."""
        return float((self.weights.square().sum() * self.green * (1 - self.green) / self.salts).sqrt())

    def cumulant(self, tilt: float) -> float:
        """Return the sum over tokens of log E exp of a green token's part."""
        parts = tilt / self.salts * self.weights
        terms = (
            torch.logaddexp(torch.full_like(parts, np.log(1 - self.green)), np.log(self.green) + parts)
            - self.green * parts
        )
        return self.salts * float(terms.sum())

    def _chosen(self, numbers: torch.Tensor) -> float:
        return float((self.weights * ((numbers < self.green).double() - self.green)).sum())

    @property
    def _numbers_per_draw(self) -> int:
        return self.weights.numel()

    def _law(self, tilt: float) -> torch.Tensor:
        """Return the tokens' probabilities of being green."""
        return torch.sigmoid(np.log(self.green / (1 - self.green)) + tilt * self.weights)

    def _drawn(self, seeds: torch.Tensor, counters: torch.Tensor, law: torch.Tensor) -> torch.Tensor:
        columns = torch.arange(law.shape[-1])
        values = []
        for row in mixed(seeds, counters).T:
            green = uniform_numbers(row, columns) < law
            values.append((self.weights * (green.double() - self.green)).sum())
        return torch.stack(values)


def make_statistic(policy: MarkPolicy, positions: Sequence[Position]) -> Statistic:
    """Return the statistic of a policy's marks."""
    if isinstance(policy, Watermark | Fingerprint):
        return GreenStatistic(positions, policy.green, policy.salts)
    return RaceStatistic(positions, policy.salts)
