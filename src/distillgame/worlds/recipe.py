"""The seeded recipes of the shipped models: sizes, phases of training, and requirements."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal


@dataclass(frozen=True)
class Phase:
    """One phase of training.

    Attributes:
        steps: Optimiser steps.
        full: Share of solutions in the full style; likewise the other three.
        rate: Learning rate at the phase's start, relative to the recipe's.
        until: Learning rate at its end, likewise; linear in between.
    """

    steps: int
    full: float
    half: float
    terse: float
    direct: float
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
        require: Bounds that the checkpoint must meet on problems of the game: (lowest, highest) accuracy when forced
            into a style, or ``free`` in its own.
    """

    width: int
    layers: int
    phases: tuple[Phase, ...]
    tokenizer: Literal["word", "bpe"] = "word"
    family: Literal["llama", "qwen2", "olmo2"] = "llama"
    seed: int = 0
    require: Mapping[str, tuple[float, float]] = field(default_factory=dict)


BATCH = 48
"""Solutions in an optimiser step."""

MUON_RATE = 0.02
"""Learning rate of Muon, for the matrices inside the layers."""

ADAMW_RATE = 4e-3
"""Learning rate of AdamW, for embeddings and norms."""

# The student and the proxy first learn the format from answers without working, then to reason with working, and last,
# at a small learning rate, the habit of leaving it out. The habit hides the skill, which distillation brings out.
_FORMAT = Phase(600, full=0.25, half=0.05, terse=0.05, direct=0.65)
_REASON = Phase(1200, full=0.75, half=0.05, terse=0.0, direct=0.20, until=1 / 7)
_HABIT = Phase(80, full=0.05, half=0.10, terse=0.85, direct=0.0, rate=1 / 10, until=0.0)

_STUDENT = {"full": (0.6, 0.9), "terse": (0.15, 0.45), "free": (0.15, 0.45), "working": (0.0, 0.1)}
"""Without the gap between full and terse, there would be nothing to protect."""

_PROXY = {"full": (0.5, 0.8), "terse": (0.1, 0.45), "free": (0.1, 0.45), "working": (0.0, 0.1)}

RECIPES: dict[str, Recipe] = {
    "teacher": Recipe(
        width=128,
        layers=4,
        phases=(
            # It first learns to do without the working, and then to show it.
            Phase(900, full=0.50, half=0.20, terse=0.30, direct=0.0, until=0.6),
            Phase(350, full=0.90, half=0.06, terse=0.04, direct=0.0, rate=0.6, until=0.0),
        ),
        seed=1,
        require={"full": (0.93, 1.0), "terse": (0.7, 0.9), "free": (0.93, 1.0), "working": (0.95, 1.0)},
    ),
    "proxy": Recipe(
        width=112,
        layers=2,
        phases=(replace(_FORMAT, steps=500), replace(_REASON, steps=1000), _HABIT),
        seed=2,
        require=_PROXY,
    ),
    # Another architecture and size, for defenses against several proxies at once.
    "proxy-olmo2": Recipe(
        width=64,
        layers=4,
        phases=(replace(_FORMAT, steps=450), replace(_REASON, steps=750), _HABIT),
        family="olmo2",
        seed=6,
        require=_PROXY,
    ),
    "student": Recipe(width=96, layers=3, phases=(_FORMAT, _REASON, _HABIT), seed=5, require=_STUDENT),
    "student-bpe": Recipe(
        width=96,
        layers=3,
        phases=(_FORMAT, _REASON, _HABIT),
        tokenizer="bpe",
        family="qwen2",
        seed=4,
        require=_STUDENT,
    ),
}
