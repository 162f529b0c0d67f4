"""Students that reconstruct the working that was not released."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

from distillgame.records import ReleasedTrace
from distillgame.students.attackers.assisted import comes_to_same
from distillgame.students.base import Editing, require_at_least, require_rate, students
from distillgame.students.lessons import Desk
from distillgame.students.supplies import Inversion, Needs

NUMBER = re.compile(r"\d+(?:[.,]\d+)*")

WORD = re.compile(r"\s*\S+")
"""A word and the space before it."""


@students.register("inverted")
@dataclass(frozen=True)
class Inverted(Editing):
    """Trains on the traces as an inverter writes them out, where that comes to the released answer.

    The inverter is the base model, trained to write a whole solution from the prompt and the solution's reduction. It
    learns from public solutions, and from ``draws`` completions of each prompt by a student that those solutions taught
    the method, at ``rate`` of the learning rate: a solution that is wrong about the world still shows how its working
    follows from its reduction. Of ``k`` expansions of a trace, the first is taken that comes to its answer and has all
    its numbers, in their order; else the first that comes to its answer. Traces whose expansions all come to another
    answer are dropped, for they would teach to leave the working out.
    """

    draws: int = 8
    k: int = 4
    rate: float = 0.05
    name = "inverted"

    def __post_init__(self) -> None:
        require_at_least(self.name, "draws", self.draws, 0)
        require_at_least(self.name, "k", self.k, 1)
        require_rate(self.name, self.rate)

    @property
    def needs(self) -> Needs:
        """Public solutions, and an inverter."""
        return Needs(references=True, inversion=Inversion(self.draws, self.k, self.rate))

    def edited(self, desk: Desk) -> list[ReleasedTrace]:
        """Return the expansions that come to their trace's answer."""
        pairs = zip(desk.supplies.traces, desk.supplies.expansions, strict=True)
        chosen = (_chosen(trace, expansions) for trace, expansions in pairs)
        return [expansion for expansion in chosen if expansion is not None]


@students.register("spliced")
@dataclass(frozen=True)
class Spliced(Inverted):
    """Trains on the traces with the words that an inverter adds; what was released stands as it is.

    An inverter of modest size does not copy reliably: where a trace shows its working, the expansion may show another.
    So of the first expansion that comes to a trace's answer and has all its numbers, in their order, only the words are
    taken that the trace lacks. Where both have words that differ, the trace's stay, and nothing is added there. Traces
    without such an expansion are dropped.
    """

    name = "spliced"

    def edited(self, desk: Desk) -> list[ReleasedTrace]:
        """Return the traces with what their expansions insert."""
        pairs = zip(desk.supplies.traces, desk.supplies.expansions, strict=True)
        chosen = ((trace, _consistent(trace, _agreeing(trace, expansions))) for trace, expansions in pairs)
        return [_spliced(trace, expansion) for trace, expansion in chosen if expansion is not None]


def _spliced(trace: ReleasedTrace, expansion: ReleasedTrace) -> ReleasedTrace:
    """Return a trace with the words that only its expansion has; where their words differ, the trace's."""
    *before, last = trace.messages
    released, expanded = (WORD.findall(each.messages[-1]["content"]) for each in (trace, expansion))
    ours, theirs = ([word.strip() for word in words] for words in (released, expanded))
    merged: list[str] = []
    for operation, start, end, first, past in SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes():
        words = expanded[first:past] if operation == "insert" else released[start:end]
        if operation == "equal" and merged and not words[0][0].isspace():
            # Only a trace's first word has no space before it; with something in front, it has the expansion's.
            words[0] = expanded[first]
        merged += words
    content = last["content"]
    return replace(trace, messages=[*before, last | {"content": "".join(merged) + content[len(content.rstrip()) :]}])


def _agreeing(trace: ReleasedTrace, expansions: Sequence[ReleasedTrace]) -> list[ReleasedTrace]:
    """Return the expansions that come to the trace's answer."""
    return [each for each in expansions if comes_to_same(trace, each)]


def _consistent(trace: ReleasedTrace, agreeing: Sequence[ReleasedTrace]) -> ReleasedTrace | None:
    """Return the first of them that has all the trace's numbers; None without one."""
    return next((each for each in agreeing if _keeps_numbers(trace, each)), None)


def _chosen(trace: ReleasedTrace, expansions: Sequence[ReleasedTrace]) -> ReleasedTrace | None:
    agreeing = _agreeing(trace, expansions)
    return _consistent(trace, agreeing) or next(iter(agreeing), None)


def _keeps_numbers(trace: ReleasedTrace, expansion: ReleasedTrace) -> bool:
    """Return whether all numbers of a trace stand in its expansion, in their order."""
    left = iter(NUMBER.findall(expansion.messages[-1]["content"]))
    return all(number in left for number in NUMBER.findall(trace.messages[-1]["content"]))
