"""Private facts: what only a task's teacher knows, with the truth about it, so that leakage can be counted in facts."""

from abc import ABC, abstractmethod
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

Message = dict[str, str]
"""A chat message, ``{"role": ..., "content": ...}``, as chat templates read it."""


@dataclass(frozen=True)
class Claim:
    """A saying of a text about a private fact; it need not be true.

    Attributes:
        fact: The fact's name.
        value: What it is said to be.
        true: Whether it is that.
        stated: Whether the text says so itself; if not, it can be derived from the text.
        span: The characters that say so, or from which it follows: the first and the one after the last.
    """

    fact: str
    value: int | str
    true: bool
    stated: bool
    span: tuple[int, int]


@dataclass(frozen=True)
class Released:
    """The private facts that a collection of traces releases to somebody who believes what most of them claim.

    Attributes:
        stated: Facts that most statements give rightly.
        derivable: Facts that most claims give rightly, derived ones included.
    """

    stated: frozenset[str]
    derivable: frozenset[str]


@dataclass(frozen=True)
class Probe:
    """A question that takes one private fact to answer.

    Attributes:
        fact: The fact's name.
        messages: The question.
        beginning: The text with which the answer is made to begin, up to where the fact has to be said; empty if the
            answer is free.
        stop: Strings that end a forced answer, after which the fact has been said or never will be.
    """

    fact: str
    messages: tuple[Message, ...]
    beginning: str = ""
    stop: tuple[str, ...] = ()


class Knowledge(ABC):
    """The private facts of a task.

    Attributes:
        kinds: The kind of each fact, by the fact's name.
    """

    kinds: Mapping[str, str]

    @abstractmethod
    def claims(self, completion: str) -> list[Claim]:
        """Return what a completion claims about private facts, in the order in which they can be known."""

    @abstractmethod
    def needed(self, question: str) -> frozenset[str]:
        """Return the private facts that it takes to answer a question of the task."""

    @abstractmethod
    def probes(self) -> list[Probe]:
        """Return free and forced probes of every private fact; the number may differ between the two."""

    def shows(self, probe: Probe, completion: str) -> bool:
        """Return whether the answer to a probe, its beginning aside, shows that its writer knows the fact."""
        found = [claim for claim in self.claims(probe.beginning + completion) if claim.fact == probe.fact]
        return bool(found) and found[0].true

    def released(self, completions: Iterable[str]) -> Released:
        """Return the facts that completions release.

        A claim counts once per completion. Where true and false ones are equally frequent, nothing is released.
        """
        stated: defaultdict[str, Counter[tuple[int | str, bool]]] = defaultdict(Counter)
        derivable: defaultdict[str, Counter[tuple[int | str, bool]]] = defaultdict(Counter)
        for completion in completions:
            found = self.claims(completion)
            for name, value, true in {(claim.fact, claim.value, claim.true) for claim in found if claim.stated}:
                stated[name][value, true] += 1
            for name, value, true in {(claim.fact, claim.value, claim.true) for claim in found}:
                derivable[name][value, true] += 1
        return Released(_believed(stated), _believed(derivable))

    def by_kind(self, facts: Iterable[str] | None = None) -> dict[str, int]:
        """Return how many of these facts (all by default) are of each kind."""
        counts = dict.fromkeys(self.kinds.values(), 0)
        for fact in self.kinds if facts is None else facts:
            counts[self.kinds[fact]] += 1
        return counts


def _believed(votes: Mapping[str, Counter[tuple[int | str, bool]]]) -> frozenset[str]:
    found = set()
    for name, counts in votes.items():
        right = max((count for (_, true), count in counts.items() if true), default=0)
        if all(right > count for (_, true), count in counts.items() if not true) and right:
            found.add(name)
    return frozenset(found)
