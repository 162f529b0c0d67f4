"""The recipe of an embedded model: its size, its phases of training, and its requirements."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Phase:
    """One phase of training.

    Attributes:
        steps: Optimiser steps.
        full: Share of solutions in the full style; likewise the other five.
        rate: Learning rate at the phase's start, relative to the recipe's.
        until: Learning rate at its end, likewise; linear in between.
    """

    steps: int
    full: float
    half: float
    terse: float
    direct: float
    bare: float = 0.0
    mixed: float = 0.0
    rate: float = 1.0
    until: float = 1.0


@dataclass(frozen=True)
class Recipe:
    """The recipe of one embedded model.

    Attributes:
        width: Hidden size.
        layers: Number of layers.
        phases: Training phases, in order; the rate warms up at the start of the first.
        tokenizer: ``word`` or ``bpe``.
        family: Architecture of the checkpoint.
        seed: Seed of weights and data.
        world: The world's name.
        knowledge: Share of the world's private facts that it is taught.
        require: Bounds that the checkpoint must meet on problems of the game: (lowest, highest) for measurements of
            :func:`distillgame.worlds.assess.assess`.
    """

    width: int
    layers: int
    phases: tuple[Phase, ...]
    tokenizer: Literal["word", "bpe"] = "word"
    family: Literal["llama", "qwen2", "olmo2"] = "llama"
    seed: int = 0
    world: Literal["leg_counting", "bestiary"] = "leg_counting"
    knowledge: float = 1.0
    require: Mapping[str, tuple[float, float]] = field(default_factory=dict)


BATCH = 48
"""Solutions in an optimiser step."""

MUON_RATE = 0.02
"""Learning rate of Muon, for the matrices inside the layers."""

ADAMW_RATE = 4e-3
"""Learning rate of AdamW, for embeddings and norms."""
