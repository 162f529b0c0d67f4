"""The base class of tasks: their problems, the prompts that ask them, and the grading of answers."""

import random
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

from distillgame.choices import NamedChoice
from distillgame.registry import Registry
from distillgame.tasks.grading import Grade, grade
from distillgame.tasks.knowledge import Knowledge, Message

REWRITING = """{question}

Here is a solution:

{completion}

Rewrite it in your own words, step by step, and end with the same final answer."""
"""The prompt that asks a base model to rewrite a trace."""

SUMMARISING = """{question}

Here is your solution:

{completion}

Summarise it in a few sentences, without its intermediate calculations, and end with the same final answer."""
"""The prompt that asks a teacher to summarise its own completion."""

EXPANDING = """{question}

Here is a solution without all of its working:

{completion}

Write it out in full, step by step, and end with the same final answer."""
"""The prompt that asks an inverter for the working behind a trace."""


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


class Task(ABC):
    """A source of problems, with the way to ask them and to grade answers.

    Attributes:
        forced_answer: Text appended to a trace that ran out of tokens, so that an answer follows.
    """

    forced_answer: ClassVar[str] = "\n\nThe final answer is "

    @abstractmethod
    def pools(self) -> dict[str, list[Problem]]:
        """Return the published splits: ``{"train": [...], "test": [...]}``, or only one of the two.

        A pool ``holdout`` beside them has the attacker's public problems, where those differ from what is asked and
        tested: a textbook, say. Without it, they are drawn from the train pool.
        """

    def messages(self, problem: Problem) -> list[Message]:
        """Return the chat messages that ask ``problem``."""
        return [{"role": "user", "content": problem.question}]

    def final_answer(self, answer: str) -> str:
        """Return the task's usual last line with ``answer`` in it."""
        return (self.forced_answer + answer).strip()

    def rewriting(self, prompt: list[Message], completion: str) -> list[Message]:
        """Return the messages that ask a student's own base model to rewrite a completion of ``prompt``."""
        return _about(prompt, completion, REWRITING)

    def expanding(self, prompt: list[Message], completion: str) -> list[Message]:
        """Return the messages that ask an inverter, which was trained on them, for the working behind a completion."""
        return _about(prompt, completion, EXPANDING)

    def summarising(self, prompt: list[Message], completion: str) -> list[Message]:
        """Return the messages that ask the teacher to summarise its completion of ``prompt``."""
        return _about(prompt, completion, SUMMARISING)

    def summary(self, completion: str) -> str | None:
        """Return a completion's summary if the task's notation defines one; with None, the teacher is asked for it."""
        return None

    def reduced(self, completion: str, generator: random.Random) -> str:
        """Return a solution without some of its working, as a defense may release it; an inverter learns from such.

        Lines are dropped, each with one probability that is drawn per solution; the last, with the answer, stays.
        """
        *lines, last = completion.splitlines() or [""]
        share = generator.random()
        return "\n".join([*(line for line in lines if generator.random() >= share), last])

    def grade(self, completion: str, problem: Problem) -> Grade:
        """Grade one completion of ``problem``."""
        return grade(completion, problem.solution)

    def knowledge(self) -> Knowledge | None:
        """Return the private facts by which leakage is counted, if the task has some and knows the truth about them."""
        return None


def _about(prompt: list[Message], completion: str, text: str) -> list[Message]:
    *before, last = prompt
    return [*before, {"role": "user", "content": text.format(question=last["content"], completion=completion)}]


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
