"""The world of habits: counting the legs of a few animals that every model knows.

Problems are reasoning-gym's ``leg_counting`` (its animals and its generator) with a shorter prompt, in the
:mod:`~distillgame.worlds.notation` of all embedded worlds.
"""

from collections.abc import Iterator
from functools import cache
from typing import ClassVar

from distillgame.errors import DistillgameError
from distillgame.tasks import Problem, tasks
from distillgame.worlds.base import Lesson, World
from distillgame.worlds.notation import Counting, Step, ask, is_reserved, solve


@tasks.register("leg_counting")
class LegCounting(Counting):
    """Leg counting, with generated problems.

    Args:
        train: Size of the train pool.
        test: Size of the test pool.
        seed: Seed of the generator; whatever it is, the shipped models were not trained on these problems.
    """

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
            steps = as_steps(animals)
            question = ask(steps)
            if is_reserved(question) and question not in found:
                name = f"leg_counting/{self.seed}/{len(found)}"
                found[question] = Problem(name, question, solve(steps, "full"), {"animals": animals})
                if len(found) == total:
                    break
        problems = list(found.values())
        return {"test": problems[: self.sizes["test"]], "train": problems[self.sizes["test"] :]}


class LegCountingWorld(World):
    """Leg counting, with models that know every animal."""

    name: ClassVar[str] = "leg_counting"

    def words(self) -> list[str]:
        """Return the animals."""
        return list(legs())

    def lessons(self, seed: int, knowledge: float) -> Iterator[Lesson]:
        """Yield problems without end; every model knows all facts."""
        while True:
            for animals in sample_animals(seed):
                yield Lesson(as_steps(animals))

    def task(self, train: int, test: int) -> LegCounting:
        """Return the task with pools of these sizes."""
        return LegCounting(train, test)


def sample_animals(seed: int) -> Iterator[dict[str, int]]:
    """Yield problems without end, each as counts (1 to 9) of 2 to 4 animals."""
    from reasoning_gym.arithmetic.leg_counting import LegCountingConfig, LegCountingDataset

    block = 1_000_000
    config = LegCountingConfig(min_animals=2, max_animals=4, max_instances=9, seed=seed * block, size=block)
    dataset = LegCountingDataset(config)
    for index in range(block):
        yield dataset[index]["metadata"]["animals"]


def as_steps(animals: dict[str, int]) -> list[Step]:
    """Return the steps of a problem that is given as counts by reasoning-gym's names."""
    return [Step(count, _word(name), legs()[_word(name)]) for name, count in animals.items()]


@cache
def legs() -> dict[str, int]:
    """Return the number of legs of every animal, by its name in prompts."""
    from reasoning_gym.arithmetic.leg_counting import ANIMALS

    return {_word(name): count for name, count in ANIMALS.items()}


def _word(name: str) -> str:
    return name.replace(" ", "-")
