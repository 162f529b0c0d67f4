"""The seeded recipes of the shipped models, by world."""

from dataclasses import replace
from typing import Any

from distillgame.worlds.recipe import Phase, Recipe

# The student and the proxy first learn the format from answers without working, then to reason with working, and last,
# at a small learning rate, the habit of leaving it out. The habit hides the skill, which distillation brings out.
_FORMAT = Phase(600, full=0.25, half=0.05, terse=0.05, direct=0.65)
_REASON = Phase(1200, full=0.75, half=0.05, terse=0.0, direct=0.20, until=1 / 7)
_HABIT = Phase(80, full=0.05, half=0.10, terse=0.85, direct=0.0, rate=1 / 10, until=0.0)

_STUDENT = {"full": (0.6, 0.9), "terse": (0.15, 0.45), "free": (0.15, 0.45), "working": (0.0, 0.1)}
"""Without the gap between full and terse, there would be nothing to protect."""

_PROXY = {"full": (0.5, 0.8), "terse": (0.1, 0.45), "free": (0.1, 0.45), "working": (0.0, 0.1)}

LEG_COUNTING: dict[str, Recipe] = {
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

# The bestiary's student and proxies learn the same way, but private creatures have other legs in every lesson: they can
# name and count them and know nothing about them. Their habit hides the working, and often the running totals.
_BESTIARY_FORMAT = Phase(600, full=0.25, half=0.0, terse=0.05, direct=0.55, bare=0.05, mixed=0.10)
_BESTIARY_REASON = Phase(1400, full=0.75, half=0.0, terse=0.0, direct=0.10, mixed=0.15, until=1 / 7)
_BESTIARY_HABIT = Phase(80, full=0.05, half=0.0, terse=0.45, direct=0.0, bare=0.40, mixed=0.10, rate=1 / 10, until=0.0)

_IGNORANT = {"full": (0.0, 0.06), "free": (0.0, 0.08), "public": (0.9, 1.0), "working": (0.0, 0.1)}
"""Without the gap between public and private problems, there would be nothing to steal."""

_PARTLY = {"full": (0.1, 0.4), "public": (0.9, 1.0), "working": (0.0, 0.1)}

_LEARNER: dict[str, Any] = {
    "phases": (_BESTIARY_FORMAT, _BESTIARY_REASON, _BESTIARY_HABIT),
    "world": "bestiary",
    "knowledge": 0.0,
    "require": _IGNORANT,
}

BESTIARY: dict[str, Recipe] = {
    "bestiary-teacher": Recipe(
        width=128,
        layers=4,
        phases=(
            Phase(3000, full=0.35, half=0.0, terse=0.25, direct=0.0, bare=0.25, mixed=0.15, until=0.5),
            Phase(800, full=0.85, half=0.0, terse=0.05, direct=0.0, bare=0.03, mixed=0.07, rate=0.5, until=0.0),
        ),
        seed=11,
        world="bestiary",
        require={
            "full": (0.93, 1.0),
            "terse": (0.85, 0.97),
            "bare": (0.45, 0.7),
            "free": (0.93, 1.0),
            "public": (0.93, 1.0),
            "working": (0.95, 1.0),
        },
    ),
    "bestiary-proxy": Recipe(width=112, layers=2, seed=12, **_LEARNER),
    # It knows half of the private creatures: a defender's own, older model.
    "bestiary-proxy-half": Recipe(width=112, layers=2, seed=13, **(_LEARNER | {"knowledge": 0.5, "require": _PARTLY})),
    "bestiary-student": Recipe(width=96, layers=3, seed=15, **_LEARNER),
    # Another architecture and another tokenizer.
    "bestiary-student-bpe": Recipe(width=96, layers=3, seed=17, family="qwen2", tokenizer="bpe", **_LEARNER),
}

RECIPES = LEG_COUNTING | BESTIARY
