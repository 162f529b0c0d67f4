"""The base class of embedded worlds: what their models learn from, and what they are checked on."""

import random
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from distillgame.tasks import Problem
from distillgame.worlds.notation import Counting, Step, Style, ask, solve


@dataclass(frozen=True)
class Lesson:
    """A problem that a model may be trained on, as the model knows it."""

    steps: Sequence[Step]

    @property
    def question(self) -> str:
        """The prompt."""
        return ask(self.steps)

    def solution(self, style: Style, rng: random.Random | None = None) -> str:
        """Return a solution in a style (see :func:`distillgame.worlds.notation.solve`)."""
        return solve(self.steps, style, rng)


class World(ABC):
    """A task together with what its models are trained on.

    Attributes:
        name: The task's name.
        styles: The styles that models are forced into to be measured.
    """

    name: ClassVar[str]
    styles: ClassVar[tuple[Literal["full", "terse", "bare"], ...]] = ("full", "terse")

    @abstractmethod
    def words(self) -> list[str]:
        """Return the words that name creatures."""

    @abstractmethod
    def lessons(self, seed: int, knowledge: float) -> Iterator[Lesson]:
        """Yield problems without end, reserved ones included.

        Args:
            seed: Seed of the problems.
            knowledge: Share of the world's private facts that the model knows, from 0 to 1. What it does not know is
                drawn at random in every lesson.
        """

    @abstractmethod
    def task(self, train: int, test: int) -> Counting:
        """Return the task with pools of these sizes."""

    def public(self, count: int) -> list[Problem]:
        """Return problems about public facts alone; none where all facts are public."""
        return []
