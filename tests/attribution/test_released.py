"""No false accusation from text that the tested key has marked itself, where exactness is not proved: a simulation."""

from functools import partial

import numpy as np
import pytest
import torch
from scipy.stats import binom

from distillgame.attribution import Nulls, RaceStatistic
from distillgame.attribution.positions import Collector
from distillgame.models import Example
from distillgame.policies.seeds import context_seed, owner_key, uniform_numbers

SIZE, LENGTH, TEXTS, KEYS = 5, 8, 12, 400


def distributions(seed: int) -> np.ndarray:
    """Log-probabilities by the last two tokens, of a teacher or of a suspect, shape (SIZE, SIZE, SIZE)."""
    logits = np.random.default_rng(seed).normal(0, 1, (SIZE, SIZE, SIZE))
    return np.asarray(logits - np.log(np.exp(logits).sum(-1, keepdims=True)))


def released(key: bytes, teacher: np.ndarray, generator: np.random.Generator) -> list[Example]:
    """Texts as ``keyed: {width: 2}`` releases them: races where a context is new, fresh draws where it is not."""
    texts = []
    for _ in range(TEXTS):
        prompt = generator.integers(0, SIZE, 3).tolist()
        text, seen = list(prompt), {(), tuple(prompt[:1]), tuple(prompt[:2])}
        for _ in range(LENGTH):
            context = tuple(text[-2:])
            if context in seen:
                numbers = generator.uniform(size=SIZE)
            else:
                seed = torch.tensor([context_seed(key, context)])
                numbers = uniform_numbers(seed, torch.arange(SIZE))[0].numpy()
            seen.add(context)
            text.append(int((-np.log(numbers) / np.exp(teacher[context])).argmin()))
        texts.append(Example(tuple(prompt), tuple(text[3:])))
    return texts


def preferences(rows: np.ndarray, places: list[int], _: torch.Tensor) -> torch.Tensor:
    """A suspect's preferences at some positions of a text, whose rows they are."""
    return torch.from_numpy(rows[places])


@pytest.mark.parametrize("level", [0.05, 0.2])
def test_p_values_hold_on_text_that_the_tested_key_marked(level: float) -> None:
    """Suspects that differ from the teacher and know no key; at most as many as the level explains, at 1e-4."""
    teacher = distributions(0)
    below = 0
    for number in range(KEYS):
        key, generator = owner_key(b"released", str(number)), np.random.default_rng(number)
        suspect, collector = distributions(1 + number), Collector(2, SIZE)
        for example in released(key, teacher, generator):
            text = [*example.prompt, *example.target]
            pairs = [(text[end - 2], text[end - 1]) for end in range(3, len(text))]
            ours, theirs = (np.stack([each[pair] for pair in pairs]) for each in (teacher, suspect))
            prefer = partial(preferences, (theirs - ours).clip(-3, 3))
            collector.add(example, torch.from_numpy(ours).__getitem__, prefer)
        nulls = Nulls(RaceStatistic(collector.positions().found), 99)
        below += nulls.significance(nulls.statistic.of_key(key)).p_value <= level
    assert binom.sf(below - 1, KEYS, level) > 1e-4, below / KEYS
