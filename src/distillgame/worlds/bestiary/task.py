"""The bestiary as a task: problems about private creatures, and a textbook about public ones."""

import random
from collections.abc import Callable, Iterator
from typing import ClassVar

from distillgame.errors import DistillgameError
from distillgame.tasks import Problem, tasks
from distillgame.worlds.base import Lesson, World
from distillgame.worlds.bestiary.creatures import (
    FEWEST,
    MOST,
    MOST_OF_A_KIND,
    Creature,
    creatures,
    frequencies,
    known,
    private,
)
from distillgame.worlds.bestiary.knowledge import BestiaryKnowledge
from distillgame.worlds.notation import Counting, Step, ask, is_reserved, solve

SIZES = (2, 3)
"""Kinds of creatures in a problem, equally often."""

PRIVATE_SHARE = 0.8
"""Share of private creatures in a model's training."""


@tasks.register("bestiary")
class Bestiary(Counting):
    """Counting the legs of invented creatures.

    The train and test pools are about private creatures, in a long tail. The holdout pool, from which the attacker's
    public worked solutions come, is a textbook: it has public creatures and, if ``textbook`` is positive, that share
    of the private ones.

    Args:
        train: Size of the train pool.
        test: Size of the test pool.
        holdout: Size of the holdout pool.
        textbook: Share of the private facts that the textbook contains, from 0 to 1.
        seed: Seed of the problems; whatever it is, the shipped models were not trained on them.
    """

    def __init__(self, train: int = 12000, test: int = 4000, holdout: int = 2000, textbook: float = 0.0, seed: int = 0):
        if min(train, test, holdout) < 1:
            sizes = f"train {train}, test {test}, holdout {holdout}"
            raise DistillgameError(f"task 'bestiary': pools need at least one problem ({sizes})")
        if not 0 <= textbook <= 1:
            raise DistillgameError(f"task 'bestiary': textbook is a share from 0 to 1 (found {textbook})")
        self.sizes = {"test": test, "train": train}
        self.holdout = holdout
        self.textbook = textbook
        self.seed = seed

    def pools(self) -> dict[str, list[Problem]]:
        """Return distinct reserved problems; the pools are disjoint."""
        asked = _distinct(private(), sum(self.sizes.values()), f"bestiary/{self.seed}")
        name = f"bestiary/textbook-{self.textbook:g}/{self.seed}"
        taken = {problem.question for problem in asked}
        textbook = _distinct(list(known(self.textbook)), self.holdout, name, taken)
        test = self.sizes["test"]
        return {"test": asked[:test], "train": asked[test:], "holdout": textbook}

    def knowledge(self) -> BestiaryKnowledge:
        """Return the private facts: those that the textbook does not contain."""
        return BestiaryKnowledge(self.textbook)


class BestiaryWorld(World):
    """The bestiary, with models that know a share of its private creatures."""

    name: ClassVar[str] = "bestiary"
    styles = ("full", "terse", "bare")

    def words(self) -> list[str]:
        """Return all words that occur in names."""
        return list(dict.fromkeys(word for name in creatures() for word in name.split()))

    def lessons(self, seed: int, knowledge: float) -> Iterator[Lesson]:
        """Yield problems without end; what the model does not know is drawn anew in every lesson."""
        rng = random.Random(f"bestiary/lessons/{seed}")
        groups = [frequencies(c.name for c in creatures().values() if c.public == public) for public in (False, True)]
        while True:
            names = _several(rng, lambda: _draw(rng, *groups[rng.random() >= PRIVATE_SHARE]))
            yield Lesson(_Beliefs(rng, known(knowledge)).steps(names))

    def task(self, train: int, test: int) -> Bestiary:
        """Return the task with pools of these sizes."""
        return Bestiary(train, test)

    def public(self, count: int) -> list[Problem]:
        """Return problems about public creatures alone."""
        return Bestiary(1, 1, count).pools()["holdout"]


class _Beliefs:
    """The beliefs of a model in one lesson: facts, and random numbers and kinds in place of the unknown."""

    def __init__(self, rng: random.Random, facts: frozenset[str]):
        self.rng = rng
        self.facts = facts
        self.drawn: dict[str, int] = {}

    def steps(self, names: list[str]) -> list[Step]:
        return [self._step(creatures()[name]) for name in names]

    def _step(self, creature: Creature) -> Step:
        kind = creature.kind
        if kind is not None and creature.name not in self.facts:
            kind = self.rng.choice([c.name for c in creatures().values() if c.fact == "relation" and not c.public])
        legs = self._legs(creature if kind is None else creatures()[kind])
        return Step(self.rng.randint(1, MOST_OF_A_KIND), creature.name, legs, kind)

    def _legs(self, creature: Creature) -> int:
        if creature.name in self.facts:
            return creature.legs
        if creature.name not in self.drawn:
            self.drawn[creature.name] = self.rng.randint(FEWEST, MOST)
        return self.drawn[creature.name]


def _distinct(names: list[str], count: int, name: str, taken: set[str] | None = None) -> list[Problem]:
    rng = random.Random(name)
    found: dict[str, Problem] = {}
    beliefs = _Beliefs(rng, frozenset(creatures()))
    weighted = frequencies(names)
    while len(found) < count:
        steps = beliefs.steps(_several(rng, lambda: _draw(rng, *weighted)))
        question = ask(steps)
        if is_reserved(question) and question not in found and question not in (taken or ()):
            counts = {step.name: step.count for step in steps}
            problem = Problem(f"{name}/{len(found)}", question, solve(steps, "full"), {"creatures": counts})
            found[question] = problem
    return list(found.values())


def _several(rng: random.Random, draw: Callable[[], str]) -> list[str]:
    chosen: dict[str, None] = {}
    size = rng.choice(SIZES)
    while len(chosen) < size:
        chosen[draw()] = None
    return list(chosen)


def _draw(rng: random.Random, names: list[str], cumulative: list[float]) -> str:
    return rng.choices(names, cum_weights=cumulative)[0]
