"""The notation of answers and solutions, and the requests by which models are asked about completions."""

import random
from typing import ClassVar

from distillgame.tasks.knowledge import Message

REWRITING = """{question}

Here is a solution:

{completion}

Rewrite it in your own words, step by step, and end with the same final answer."""
"""The prompt that asks a base model to rewrite a trace."""

REWORDING = """{question}

Here is a solution:

{completion}

"""
"""The beginning of the prompt that asks a model to rewrite a completion before it is released."""

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


class Notation:
    """The usual notation, for text of any kind; tasks may have another.

    Attributes:
        forced_answer: Text appended to a trace that ran out of tokens, so that an answer follows.
    """

    forced_answer: ClassVar[str] = "\n\nThe final answer is "

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

    def rewording(self, prompt: list[Message], completion: str, instruction: str) -> list[Message]:
        """Return the messages that ask a model, by an instruction, to write a completion of ``prompt`` anew."""
        return _about(prompt, completion, REWORDING + instruction.replace("{", "{{").replace("}", "}}"))

    def reformulated(self, completion: str) -> str | None:
        """Return a completion with its conclusion first, if the notation has a way of its own to write that."""
        return None

    def reduced(self, completion: str, generator: random.Random) -> str:
        """Return a solution without some of its working, as a defense may release it; an inverter learns from such.

        Lines are dropped, each with one probability that is drawn per solution; the last, with the answer, stays.
        """
        *lines, last = completion.splitlines() or [""]
        share = generator.random()
        return "\n".join([*(line for line in lines if generator.random() >= share), last])


def _about(prompt: list[Message], completion: str, text: str) -> list[Message]:
    *before, last = prompt
    return [*before, {"role": "user", "content": text.format(question=last["content"], completion=completion)}]
