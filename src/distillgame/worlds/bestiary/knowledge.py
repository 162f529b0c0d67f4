"""The private facts of the bestiary: who states them, who lets them be derived, and who knows them.

A total is a linear equation: the count of each creature since the last total, times its legs, adds up to the
difference. Where working or a textbook gives all but one of them, the last one follows.
"""

import random
import re
from collections.abc import Iterator
from typing import get_args

from distillgame.tasks import Claim, Knowledge, Probe
from distillgame.worlds.bestiary.creatures import FEWEST, MOST, MOST_OF_A_KIND, Fact, creatures, known

STEP = re.compile(
    r"(?P<count>\d+) (?P<name>[a-z]+(?: (?!total\b)[a-z]+)?)"
    r"(?: :(?: (?P<kind>[a-z]+) :)? \d+ x (?P<legs>\d+) = (?P<product>\d+))?"
    r"(?: total (?P<total>\d+))? \.|#### (?P<answer>\d+)"
)
"""A step, or the final answer."""

UNENDED = re.compile(
    r"(?P<count>\d+) (?P<name>[a-z]+(?: [a-z]+)?) :(?: (?P<kind>[a-z]+) :)? \d+ x (?P<legs>\d+)(?: =|$)"
)
"""A step with working that the completion breaks off: it states the fact all the same."""

ASKED = re.compile(r"\d+ ([a-z]+(?: [a-z]+)?)")
"""A creature in a question."""

FORCED = 3
"""Forced probes per fact; whoever guesses among eight numbers is right in two of three of them in 4% of all cases."""


class BestiaryKnowledge(Knowledge):
    """The legs of all creatures that are in no textbook.

    Args:
        textbook: Share of the private creatures that the textbook contains, too.
    """

    def __init__(self, textbook: float = 0.0):
        public, order = known(textbook), get_args(Fact)
        private = [creature for name, creature in creatures().items() if name not in public]
        private.sort(key=lambda creature: order.index(creature.fact))
        self.kinds = {creature.name: creature.fact for creature in private}

    def claims(self, completion: str) -> list[Claim]:
        """Return what a completion claims about private creatures; a kind's number is claimed, too."""
        found: list[Claim] = []
        total: int | None = 0
        rest, unknown, end = 0, list[tuple[str, int]](), 0
        for step in STEP.finditer(completion):
            name, product, end = step["name"], step["product"], step.end()
            if name is not None:
                if product is not None:
                    found += self._stated(step)
                    rest += int(product)
                elif name in creatures() and name not in self.kinds:
                    rest += int(step["count"]) * creatures()[name].legs
                else:
                    unknown.append((name, int(step["count"])))
            reached = "total" if step["total"] else "answer"
            if step[reached] is None:
                continue
            if total is not None and len(unknown) == 1:
                found += self._derived(*unknown[0], int(step[reached]) - total - rest, step.span(reached))
            total, rest, unknown = int(step[reached]), 0, []
        if unended := UNENDED.search(completion, end):
            found += self._stated(unended)
        return found

    def needed(self, question: str) -> frozenset[str]:
        """Return the private creatures in a question."""
        return frozenset(name for name in ASKED.findall(question) if name in self.kinds)

    def probes(self) -> list[Probe]:
        """Return a free probe and :data:`FORCED` forced ones per creature, each beside a public creature.

        A forced answer begins with the creature's working, up to its number of legs or, for two hops, its kind.
        """
        rng = random.Random("bestiary/probes")
        partners = [name for name, creature in creatures().items() if creature.public]
        return [probe for name in self.kinds for probe in self._probes(name, rng, partners)]

    def _probes(self, name: str, rng: random.Random, partners: list[str]) -> Iterator[Probe]:
        for forced in [False] + [True] * FORCED:
            count = rng.randint(1, MOST_OF_A_KIND)
            asked = f"{count} {name} , {rng.randint(1, MOST_OF_A_KIND)} {rng.choice(partners)}"
            beginning = f"{count} {name} :" if forced else ""
            yield Probe(name, ({"role": "user", "content": asked},), beginning, (" =", " .") if forced else ())

    def _stated(self, step: re.Match[str]) -> Iterator[Claim]:
        for name in [step["name"], *([] if step["kind"] is None else [step["kind"]])]:
            if name in self.kinds:
                legs = int(step["legs"])
                yield Claim(name, legs, legs == creatures()[name].legs, True, step.span("legs"))

    def _derived(self, name: str, count: int, product: int, span: tuple[int, int]) -> Iterator[Claim]:
        if name in self.kinds and count >= 1 and product % count == 0 and FEWEST <= product // count <= MOST:
            legs = product // count
            yield Claim(name, legs, legs == creatures()[name].legs, False, span)
