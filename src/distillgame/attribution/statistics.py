"""The statistic of a key, and its distribution where the suspect knows nothing of the key.

The statistic is the sum over contexts of what the suspect prefers of the tokens that the key chose there. Its contexts
are independent, because each has a seed of its own. Two rules tell what a key chose:

* ``keyed``: the winner of the race of the reference's probabilities. Under a key that the suspect does not know the
  winner of a context is a draw from the reference.
* green lists (``watermark``, ``fingerprint``): the green tokens, in proportion to their probability. Under such a key
  each token is green on its own.

In both cases the moment-generating function of the statistic is known exactly.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import torch

from distillgame.attribution.positions import SUPPORT, Position
from distillgame.decoding.drawing import race
from distillgame.policies import Fingerprint, MarkPolicy, Watermark
from distillgame.policies.seeds import context_seed, uniform_numbers

COUNT_POWER = 0.5
"""A context that was found in n texts counts n to this power: more was learnt about it, and more alike."""


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
        seeds = [[context_seed(key, context, salt) for context in self.contexts] for salt in range(self.salts)]
        return self.of_seeds(torch.tensor(seeds, dtype=torch.int64).reshape(self.salts, -1))

    def of_seeds(self, seeds: torch.Tensor) -> float:
        """Return the statistic for given seeds of the contexts, shape (salts, C)."""
        if not self.contexts:
            return 0.0
        return float(sum(self._chosen(uniform_numbers(row, self.tokens)) for row in seeds)) / self.salts

    @property
    @abstractmethod
    def deviation(self) -> float:
        """Standard deviation of the statistic of a key that the suspect does not know; its mean is 0."""

    @abstractmethod
    def cumulant(self, tilt: float) -> float:
        """Return log E exp(tilt · statistic) over keys that the suspect does not know."""

    @abstractmethod
    def _chosen(self, numbers: torch.Tensor) -> float:
        """Return the statistic for the uniform numbers of all tokens, shape (C, K)."""


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


def make_statistic(policy: MarkPolicy, positions: Sequence[Position]) -> Statistic:
    """Return the statistic of a policy's marks."""
    if isinstance(policy, Watermark | Fingerprint):
        return GreenStatistic(positions, policy.green, policy.salts)
    return RaceStatistic(positions, policy.salts)
