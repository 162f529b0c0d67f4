"""The embedded world's task: counting the legs of a few animals, in a notation whose working can be dropped.

Problems are reasoning-gym's ``leg_counting`` (its animals and its generator) with a shorter prompt. A solution
proceeds animal by animal and keeps a running total::

    4 cockroach : 4 x 6 = 24 total 24 . 3 dog : 3 x 4 = 12 total 36 . #### 36

That is the *full* style. *terse* drops the working (``4 cockroach total 24 .``), *half* tosses a coin per step, and
*direct* answers at once.
"""

import hashlib
import random
import re
from collections.abc import Iterator
from functools import cache
from typing import ClassVar, Literal

from distillgame.errors import DistillgameError
from distillgame.tasks import Message, Problem, Task, tasks

Style = Literal["full", "half", "terse", "direct"]

CONNECTIVES = ("so", "next")
"""Words that may stand before a step; they carry no information."""

CONNECTIVE_RATE = 0.3
"""The probability that a step in the training data begins with one."""

WORKING = re.compile(r" : \d+ x \d+ = \d+")
"""The part of a step that a terse solution leaves out."""

RESERVED = 4
"""One problem in this many is kept out of the models' training; the game draws only from those."""


@tasks.register("leg_counting")
class LegCounting(Task):
    """Leg counting, with generated problems.

    Args:
        train: Size of the train pool.
        test: Size of the test pool.
        seed: Seed of the generator; whatever it is, the shipped models were not trained on these problems.
    """

    forced_answer: ClassVar[str] = " #### "

    def __init__(self, train: int = 8000, test: int = 4000, seed: int = 0):
        if train < 1 or test < 1:
            raise DistillgameError(f"task 'leg_counting': pools need at least one problem (train {train}, test {test})")
        self.sizes = {"train": train, "test": test}
        self.seed = seed

    def pools(self) -> dict[str, list[Problem]]:
        """Return distinct reserved problems; the pools are disjoint."""
        total = sum(self.sizes.values())
        found: dict[str, Problem] = {}
        for animals in sample_animals(self.seed):
            question = ask(animals)
            if is_reserved(question) and question not in found:
                name = f"leg_counting/{self.seed}/{len(found)}"
                found[question] = Problem(name, question, solve(animals, "full"), {"animals": animals})
                if len(found) == total:
                    break
        problems = list(found.values())
        return {"test": problems[: self.sizes["test"]], "train": problems[self.sizes["test"] :]}

    def rewriting(self, prompt: list[Message], completion: str) -> list[Message]:
        """Return the prompt itself: these models follow no instructions, so a rewriting is their own completion."""
        return prompt

    def summary(self, completion: str) -> str | None:
        """Return the completion without its working: the terse style."""
        return WORKING.sub("", completion)


def sample_animals(seed: int) -> Iterator[dict[str, int]]:
    """Yield problems without end, each as counts (1 to 9) of 2 to 4 animals."""
    from reasoning_gym.arithmetic.leg_counting import LegCountingConfig, LegCountingDataset

    block = 1_000_000
    config = LegCountingConfig(min_animals=2, max_animals=4, max_instances=9, seed=seed * block, size=block)
    dataset = LegCountingDataset(config)
    for index in range(block):
        yield dataset[index]["metadata"]["animals"]


@cache
def legs() -> dict[str, int]:
    """Return the number of legs of every animal, by its name in prompts."""
    from reasoning_gym.arithmetic.leg_counting import ANIMALS

    return {_word(name): count for name, count in ANIMALS.items()}


def ask(animals: dict[str, int]) -> str:
    """Return the prompt of a problem."""
    return " , ".join(f"{count} {_word(name)}" for name, count in animals.items())


def is_reserved(question: str) -> bool:
    """Return whether a problem is reserved for the game rather than for the models' training."""
    return hashlib.blake2b(question.encode(), digest_size=4).digest()[0] % RESERVED == 0


def solve(animals: dict[str, int], style: Style, rng: random.Random | None = None) -> str:
    """Write the solution of a problem.

    Args:
        animals: The problem.
        style: The style, which decides how much of the working is shown.
        rng: Randomness for connectives and for the half style; without it there are no connectives.
    """
    total = 0
    steps = []
    for name, count in animals.items():
        word = _word(name)
        product = count * legs()[word]
        total += product
        shown = style == "full" or (style == "half" and rng is not None and rng.random() < 0.5)
        working = f" : {count} x {legs()[word]} = {product}" if shown else ""
        connective = ""
        if rng is not None and rng.random() < CONNECTIVE_RATE:
            connective = rng.choice(CONNECTIVES) + " "
        steps.append(f"{connective}{count} {word}{working} total {total} .")
    return " ".join([*([] if style == "direct" else steps), f"#### {total}"])


def _word(name: str) -> str:
    return name.replace(" ", "-")
