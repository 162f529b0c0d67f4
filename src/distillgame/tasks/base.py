"""The base class of tasks: their problems, the prompts that ask them, and the grading of answers."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from distillgame.choices import NamedChoice
from distillgame.registry import Registry
from distillgame.tasks.grading import Grade, grade
from distillgame.tasks.knowledge import Knowledge, Message
from distillgame.tasks.notation import Notation


@dataclass(frozen=True)
class Problem:
    """One problem of a task.

    Attributes:
        id: Unique within the task and stable between runs: random streams and pairings are keyed by it.
        question: The problem's text.
        solution: The public worked solution; it ends with the answer in the task's own notation.
        metadata: Anything else the task needs for grading (a generator's entry, the choices of a question).
    """

    id: str
    question: str
    solution: str
    metadata: Mapping[str, Any] = field(default_factory=dict, compare=False)


class Task(Notation, ABC):
    """A source of problems, with the way to ask them and to grade answers."""

    @abstractmethod
    def pools(self) -> dict[str, list[Problem]]:
        """Return the published splits: ``{"train": [...], "test": [...]}``, or only one of the two.

        A pool ``holdout`` beside them has the attacker's public problems, where those differ from what is asked and
        tested: a textbook, say. Without it, they are drawn from the train pool.
        """

    def messages(self, problem: Problem) -> list[Message]:
        """Return the chat messages that ask ``problem``."""
        return [{"role": "user", "content": problem.question}]

    def grade(self, completion: str, problem: Problem) -> Grade:
        """Grade one completion of ``problem``."""
        return grade(completion, problem.solution)

    def knowledge(self) -> Knowledge | None:
        """Return the private facts by which leakage is counted, if the task has some and knows the truth about them."""
        return None


tasks: Registry[Task] = Registry("task", "distillgame.tasks")


class TaskChoice(NamedChoice):
    """A task and its options: ``gsm8k: {path: data}`` in YAML."""

    @cached_property
    def task(self) -> Task:
        """The task itself.

        Raises:
            DistillgameError: If the name, an option's name or its value is not acceptable.
        """
        return tasks.make(self.name, self.options)
