"""A game that takes seconds."""

from typing import Any

import pytest

TINY: dict[str, Any] = {
    "task": {"leg_counting": {"train": 200, "test": 60}},
    "splits": {"train": 24, "holdout": 12, "defender": 12, "validation": 12, "test": 16},
    "seeds": [0, 1],
    "teacher": "embedded:teacher",
    "proxy": "embedded:proxy",
    "student": "embedded:student",
    "policies": ["standard", {"poe": {"gamma": 0.5}}, {"ads": {"lambda": 0.2}}],
    "students": ["untrained", "passive", {"adaptive": {"eta": 2}}],
    "controls": False,
    "sampling": {"temperature": 0.6, "max_new_tokens": 80, "forced_answer_tokens": 4, "batch_size": 16},
    "evaluation": {"temperature": 0, "max_new_tokens": 80, "batch_size": 16},
    "training": {"epochs": 1, "batch_size": 8, "objective_batch": 8, "max_length": 200},
    "cost": {"prompts": 2, "repetitions": 1},
    "quick": {"seeds": [0], "splits": {"train": 16}},
}


@pytest.fixture
def tiny() -> dict[str, Any]:
    import copy

    return copy.deepcopy(TINY)
