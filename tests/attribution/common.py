"""Positions of suspects that are made up, so that what they know of a key is known."""

import numpy as np
import torch

from distillgame.attribution import Position, Positions
from distillgame.policies.seeds import context_seed, owner_key, uniform_numbers

KEY = owner_key(b"distillgame", "owner")
SIZE = 6


def made_up(count: int, seed: int = 0, effect: float = 0.0, green: float | None = None) -> list[Position]:
    """Positions of a suspect with random preferences, and with ``effect`` nats for what KEY chose."""
    generator = np.random.default_rng(seed)
    reference = generator.dirichlet(np.full(SIZE, 0.7), count)
    preference = generator.normal(0, 0.6, (count, SIZE))
    contexts = [(seed, place) for place in range(count)]
    if effect:
        seeds = torch.tensor([context_seed(KEY, context) for context in contexts])
        numbers = uniform_numbers(seeds, torch.arange(SIZE)).numpy()
        if green is None:
            preference[np.arange(count), (-np.log(numbers) / reference).argmin(-1)] += effect
        else:
            preference += effect * (numbers < green)
    preference -= (reference * preference).sum(-1, keepdims=True)
    tokens = np.arange(SIZE)
    return [
        Position(context, int(generator.integers(1, 9)), tokens, row, chosen)
        for context, row, chosen in zip(contexts, reference, preference, strict=True)
    ]


def as_positions(found: list[Position], texts: int = 100) -> Positions:
    """The same as the positions of some texts."""
    return Positions(texts, 2.0 * texts, found)
