"""Reasoning-gym inside a worker process: generates problems and scores answers; ``gym`` calls it by name.

A recipe is ``[name, options, seed, size]``.
"""

import json
from dataclasses import fields
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

import reasoning_gym
from reasoning_gym.factory import DATASETS

Recipe = tuple[str, dict[str, Any], int, int]


def generate(recipe: Recipe) -> dict[str, Any]:
    """Generate all entries: ``{"entries": [[question, answer], ...]}`` or ``{"error": message}``."""
    name, config, _, size = recipe
    if name not in DATASETS:
        near = ", ".join(get_close_matches(name, DATASETS, 3) or sorted(DATASETS)[:3])
        return {"error": f"there is no data set '{name}': choose one of reasoning-gym's, such as {near}"}
    known = [field.name for field in fields(DATASETS[name][1]) if field.name not in ("seed", "size")]
    for key in config:
        if key not in known:
            return {"error": f"data set '{name}' has no option '{key}': choose one of {', '.join(known)}"}
    try:
        dataset = _dataset(json.dumps(recipe))
    except (AssertionError, TypeError, ValueError) as error:
        return {"error": f"data set '{name}' refuses its options: {error}"}
    entries = [dataset[index] for index in range(size)]
    return {"entries": [[entry["question"], entry["answer"]] for entry in entries]}


def score(recipe: Recipe, index: int, answer: str) -> float:
    """Score an answer to one entry, from 0 to 1."""
    dataset = _dataset(json.dumps(recipe))
    return float(dataset.score_answer(answer, dataset[index]))


@lru_cache(maxsize=8)
def _dataset(recipe: str) -> Any:
    name, config, seed, size = json.loads(recipe)
    return reasoning_gym.create_dataset(name, seed=seed, size=size, **config)
