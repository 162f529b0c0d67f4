"""Students that compare traces with each other: they drop repetitions, or answers that few draws share."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from distillgame.errors import DistillgameError
from distillgame.records import ReleasedTrace
from distillgame.students.attackers.assisted import comes_to_same
from distillgame.students.base import Editing, require_at_least, students
from distillgame.students.lessons import Desk
from distillgame.students.supplies import Needs

WORD = re.compile(r"\w+|[^\w\s]")


@students.register("deduplicated")
@dataclass(frozen=True)
class Deduplicated(Editing):
    """Drops traces that repeat others, in whatever words they share.

    A trace is dropped if at least ``overlap`` of its distinct runs of ``n`` words occur in the traces kept before it
    (Lee et al., "Deduplicating Training Data Makes Language Models Better", compare runs of 50 tokens).
    """

    n: int = 8
    overlap: float = 0.5
    name = "deduplicated"

    def __post_init__(self) -> None:
        require_at_least(self.name, "n", self.n, 1)
        if not 0 < self.overlap <= 1:
            raise DistillgameError(
                f"student 'deduplicated': overlap must be above 0 and at most 1 (found {self.overlap!r})"
            )

    def edited(self, desk: Desk) -> list[ReleasedTrace]:
        """Return the traces that say something new, in their order."""
        seen: set[tuple[str, ...]] = set()
        kept = []
        for trace in desk.supplies.traces:
            runs = self._runs(trace.messages[-1]["content"])
            if len(runs & seen) < self.overlap * len(runs):
                seen |= runs
                kept.append(trace)
        return kept

    def _runs(self, text: str) -> set[tuple[str, ...]]:
        words = WORD.findall(text.casefold())
        return {tuple(words[i : i + self.n]) for i in range(max(1, len(words) - self.n + 1))}


@students.register("majority")
@dataclass(frozen=True)
class Majority(Editing):
    """Asks each prompt ``k`` times and keeps the traces whose answer most draws share; it asks 1/k of the prompts.

    Where no answer comes twice, nothing of the prompt is kept: an attacker without a key takes agreement for
    correctness (Wang et al., "Self-Consistency Improves Chain of Thought Reasoning in Language Models").
    """

    k: int = 4
    name = "majority"

    def __post_init__(self) -> None:
        require_at_least(self.name, "k", self.k, 2)

    @property
    def needs(self) -> Needs:
        """``k`` traces per prompt."""
        return Needs(draws=self.k)

    def edited(self, desk: Desk) -> list[ReleasedTrace]:
        """Return the agreeing traces, prompt by prompt."""
        groups = zip(desk.supplies.traces, *desk.supplies.further, strict=True)
        return [trace for group in groups for trace in _agreeing(group)]


def _agreeing(draws: Sequence[ReleasedTrace]) -> list[ReleasedTrace]:
    """Return the draws of the most frequent answer, of the first such if there are several; none if all differ."""
    camps: list[list[ReleasedTrace]] = []
    for draw in draws:
        camp = next((camp for camp in camps if comes_to_same(camp[0], draw)), None)
        if camp is None:
            camps.append([draw])
        else:
            camp.append(draw)
    largest = max(camps, key=len)
    return largest if len(largest) > 1 else []
