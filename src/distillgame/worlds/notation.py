"""The embedded worlds' notation: how a solution is written, and how much of it is shown.

A solution proceeds creature by creature and keeps a running total::

    4 cockroach : 4 x 6 = 24 total 24 . 3 dog : 3 x 4 = 12 total 36 . #### 36

That is the *full* style. *terse* drops the working (``4 cockroach total 24 .``) and *bare* the total, too
(``4 cockroach .``). *half* tosses a coin between full and terse per step, *mixed* draws one of the three, and *direct*
answers at once.
"""

import hashlib
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from distillgame.tasks import Message, Task

Style = Literal["full", "half", "terse", "direct", "bare", "mixed"]

STYLES: tuple[Style, ...] = ("full", "half", "terse", "direct", "bare", "mixed")

CONNECTIVES = ("so", "next")
"""Words that may stand before a step; they carry no information."""

CONNECTIVE_RATE = 0.3
"""The probability that a step in the training data begins with one."""

SIGNS = (":", "x", "=", "total", ".", ",", "####")
"""What stands between names and numbers."""

WORKING = re.compile(r" :(?: [a-z-]+(?: [a-z]+)? :)? \d+ x \d+ = \d+")
"""The part of a step that a terse solution leaves out."""

TOTAL = re.compile(r" total \d+")
"""A running total."""

SELF_TALK = re.compile(rf"\b(?:{'|'.join(CONNECTIVES)}) ")
"""Words that carry no information."""

RESERVED = 4
"""One problem in this many is kept out of the models' training; the game draws only from those."""


@dataclass(frozen=True)
class Step:
    """One kind of creature in a problem.

    Attributes:
        count: How many of them.
        name: Their name.
        legs: Legs of one of them.
        kind: What kind of creature the name stands for, where that is a fact of its own.
    """

    count: int
    name: str
    legs: int
    kind: str | None = None


class Counting(Task):
    """A task in this notation."""

    forced_answer: ClassVar[str] = " #### "

    def rewriting(self, prompt: list[Message], completion: str) -> list[Message]:
        """Return the prompt itself: these models follow no instructions, so a rewriting is their own completion."""
        return prompt

    def expanding(self, prompt: list[Message], completion: str) -> list[Message]:
        """Return the prompt with the completion behind it: an inverter learns this notation's prompts anew anyway."""
        *before, last = prompt
        return [*before, {"role": "user", "content": f"{last['content']} {completion}"}]

    def summary(self, completion: str) -> str | None:
        """Return the completion without its working: the terse style."""
        return WORKING.sub("", completion)

    def rewording(self, prompt: list[Message], completion: str, instruction: str) -> list[Message]:
        """Return the prompt itself, as for :meth:`rewriting`."""
        return prompt

    def reformulated(self, completion: str) -> str | None:
        """Return the total, then the steps without running totals and connectives, then the answer."""
        steps, sign, answer = completion.rpartition(" #### ")
        if not sign or not answer.strip().isdigit():
            return completion
        return f"total {answer.strip()} . {SELF_TALK.sub('', TOTAL.sub('', steps))}{sign}{answer}"

    def reduced(self, completion: str, generator: random.Random) -> str:
        """Return the completion without some steps' working, each left out with one probability, drawn per solution."""
        share = generator.random()
        return WORKING.sub(lambda found: "" if generator.random() < share else found[0], completion)


def ask(steps: Sequence[Step]) -> str:
    """Return the prompt of a problem."""
    return " , ".join(f"{step.count} {step.name}" for step in steps)


def solve(steps: Sequence[Step], style: Style, rng: random.Random | None = None) -> str:
    """Write the solution of a problem.

    Args:
        steps: The problem.
        style: The style, which decides how much of each step is shown.
        rng: Randomness for connectives and for the half and mixed styles; without it there are no connectives.
    """
    total = 0
    written = []
    for step in steps:
        product = step.count * step.legs
        total += product
        shown = _shown(style, rng)
        kind = "" if step.kind is None else f" {step.kind} :"
        working = f" :{kind} {step.count} x {step.legs} = {product}" if shown == "full" else ""
        running = "" if shown == "bare" else f" total {total}"
        connective = ""
        if rng is not None and rng.random() < CONNECTIVE_RATE:
            connective = rng.choice(CONNECTIVES) + " "
        written.append(f"{connective}{step.count} {step.name}{working}{running} .")
    return " ".join([*([] if style == "direct" else written), f"#### {total}"])


def shown_shares(completions: Sequence[str]) -> tuple[float, float]:
    """Return the shares of all steps that show their working, and that show a running total; 0 without steps."""
    steps = max(1, sum(text.count(" .") for text in completions))
    working, totals = (sum(text.count(sign) for text in completions) for sign in (" x ", " total "))
    return working / steps, totals / steps


def is_reserved(question: str) -> bool:
    """Return whether a problem is reserved for the game rather than for the models' training."""
    return hashlib.blake2b(question.encode(), digest_size=4).digest()[0] % RESERVED == 0


def _shown(style: Style, rng: random.Random | None) -> Style:
    if style == "half":
        return "full" if rng is not None and rng.random() < 0.5 else "terse"
    if style == "mixed" and rng is not None:
        return rng.choice(("full", "terse", "bare"))
    return style
