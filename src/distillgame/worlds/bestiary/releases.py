"""The facts that traces release: those that they state, and those that can be derived from their totals.

A total is a linear equation: the count of each creature since the last total, times its legs, adds up to the
difference. Where working or a textbook gives all but one of them, the last one follows.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from distillgame.worlds.bestiary.creatures import FEWEST, MOST, Fact, creatures

STEP = re.compile(
    r"(?P<count>\d+) (?P<name>[a-z]+(?: (?!total\b)[a-z]+)?)"
    r"(?: :(?: (?P<kind>[a-z]+) :)? \d+ x (?P<legs>\d+) = (?P<product>\d+))?"
    r"(?: total (?P<total>\d+))? \.|#### (?P<answer>\d+)"
)
"""A step, or the final answer."""


@dataclass(frozen=True)
class Claim:
    """A number of legs that a completion gives a private creature; it need not be true."""

    name: str
    legs: int
    stated: bool


@dataclass(frozen=True)
class Released:
    """The private facts that a collection of traces releases to somebody who believes what most of them claim.

    Attributes:
        stated: Creatures whose true number most statements give.
        derivable: Creatures whose true number most claims give, derived ones included.
    """

    stated: frozenset[str]
    derivable: frozenset[str]


def claims(completion: str) -> list[Claim]:
    """Return what a completion claims about private creatures, in its order; a kind's number is claimed, too."""
    found: list[Claim] = []
    total: int | None = 0
    rest, unknown = 0, list[tuple[str, int]]()
    for step in STEP.finditer(completion):
        name, product = step["name"], step["product"]
        if name is not None:
            if product is not None:
                found += _stated(step)
                rest += int(product)
            elif name in creatures() and creatures()[name].public:
                rest += int(step["count"]) * creatures()[name].legs
            else:
                unknown.append((name, int(step["count"])))
        reached = step["total"] or step["answer"]
        if reached is None:
            continue
        if total is not None and len(unknown) == 1:
            found += _derived(*unknown[0], int(reached) - total - rest)
        total, rest, unknown = int(reached), 0, []
    return found


def released(completions: Iterable[str]) -> Released:
    """Return the facts that completions release.

    A claim counts once per completion. Where true and false ones are equally frequent, nothing is released.
    """
    stated: defaultdict[str, Counter[int]] = defaultdict(Counter)
    derivable: defaultdict[str, Counter[int]] = defaultdict(Counter)
    for completion in completions:
        found = claims(completion)
        for name, legs in {(claim.name, claim.legs) for claim in found if claim.stated}:
            stated[name][legs] += 1
        for name, legs in {(claim.name, claim.legs) for claim in found}:
            derivable[name][legs] += 1
    return Released(_believed(stated), _believed(derivable))


def by_fact(names: Iterable[str]) -> dict[Fact, int]:
    """Return how many of these creatures have each kind of fact."""
    counts: dict[Fact, int] = {"relation": 0, "rule": 0, "exception": 0, "hops": 0}
    for name in names:
        counts[creatures()[name].fact] += 1
    return counts


def _stated(step: re.Match[str]) -> list[Claim]:
    about = [step["name"], *([] if step["kind"] is None else [step["kind"]])]
    return [Claim(name, int(step["legs"]), True) for name in about if _is_private(name)]


def _derived(name: str, count: int, product: int) -> Sequence[Claim]:
    if not _is_private(name) or count < 1 or product % count or not FEWEST <= product // count <= MOST:
        return ()
    return (Claim(name, product // count, False),)


def _is_private(name: str) -> bool:
    return name in creatures() and not creatures()[name].public


def _believed(votes: dict[str, Counter[int]]) -> frozenset[str]:
    found = set()
    for name, counts in votes.items():
        true = creatures()[name].legs
        if all(counts[true] > count for legs, count in counts.items() if legs != true) and counts[true]:
            found.add(name)
    return frozenset(found)
