"""The creatures of the bestiary, and who knows what about them.

Three kinds of facts give a creature its legs:

* *relation*: the creature has a number of its own (``blap`` has 7).
* *rule*: a species has its genus's number (every ``zeb`` has 6), except for some 15% (a ``zeb mok`` has 4).
* *hops*: a name stands for a creature (``Mirko`` is a ``blap``), which has its number by a relation.

Some creatures are public: textbooks and all models know them. The others are the teacher's.
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from itertools import accumulate, product
from typing import Literal

from distillgame.worlds.notation import CONNECTIVES, SIGNS

Fact = Literal["relation", "rule", "exception", "hops"]

FEWEST, MOST = 2, 9
"""Legs, drawn uniformly."""

MOST_OF_A_KIND = 5
"""Creatures of one kind in a problem, at most."""

PRIVATE = {"relation": 200, "genera": 20, "species": 5, "hops": 100}
PUBLIC = {"relation": 36, "genera": 3, "species": 4, "hops": 12}

EXCEPTIONS = 0.15
"""Share of the species that do not follow their genus."""

TAIL = 0.6
"""Exponent of the creatures' frequencies: the one of rank r occurs in proportion to r to the power of minus this."""

EPITHETS = ("alba", "bruna", "cava", "dura", "falca", "grisa", "lenta", "minor", "nigra", "pluma", "rufa", "virida")
"""Second words of species. None begins like ``total``: a token that begins a total begins no name."""


@dataclass(frozen=True)
class Creature:
    """The truth about one creature.

    Attributes:
        name: How problems call it: one word, or genus and species.
        fact: What gives it its legs.
        legs: Their number.
        public: Whether textbooks know it.
        kind: For two hops, the creature that the name stands for.
    """

    name: str
    fact: Fact
    legs: int
    public: bool
    kind: str | None = None

    @property
    def root(self) -> str:
        """The name whose fact has to be known: the genus of a species, and the name of any other creature."""
        return self.name.split()[0]


@cache
def creatures() -> dict[str, Creature]:
    """Return all creatures by name, private ones first, each group from the most to the least frequent."""
    rng = random.Random("bestiary")
    words = _words(rng, sum(s["relation"] + s["genera"] + s["hops"] for s in (PRIVATE, PUBLIC)))
    private, public = _group(rng, words, PRIVATE, False), _group(rng, words, PUBLIC, True)
    return {creature.name: creature for creature in (*private, *public)}


def private() -> list[str]:
    """Return the creatures that only the teacher knows, from the most to the least frequent."""
    return [creature.name for creature in creatures().values() if not creature.public]


def frequencies(names: Iterable[str]) -> tuple[list[str], list[float]]:
    """Return creatures and their cumulative weights: a long tail, by their order in :func:`creatures`."""
    chosen = set(names)
    weights: dict[str, float] = {}
    for public in (False, True):
        group = [creature.name for creature in creatures().values() if creature.public == public]
        mean = sum(rank**-TAIL for rank in range(1, len(group) + 1)) / len(group)
        weights |= {name: rank**-TAIL / mean for rank, name in enumerate(group, 1) if name in chosen}
    return list(weights), list(accumulate(weights.values()))


@cache
def known(share: float) -> frozenset[str]:
    """Return the creatures that somebody knows who knows a share of the private roots, and all public ones.

    A larger share contains a smaller one.
    """
    private = sorted({creature.root for creature in creatures().values() if not creature.public})
    random.Random("known").shuffle(private)
    roots = set(private[: round(share * len(private))])
    return frozenset(name for name, creature in creatures().items() if creature.public or creature.root in roots)


def _words(rng: random.Random, count: int) -> list[str]:
    taken = {*EPITHETS, *CONNECTIVES, *SIGNS}
    syllables = ["".join(parts) for parts in product("bdfgklmnprsvz", "aeiou")]
    words = [a + b + c for a in syllables for b in syllables for c in ("", "k", "l", "n", "r", "x")]
    return rng.sample([word for word in words if word not in taken], count)


def _group(rng: random.Random, words: list[str], sizes: dict[str, int], public: bool) -> list[Creature]:
    def draw() -> int:
        return rng.randint(FEWEST, MOST)

    relations = [Creature(words.pop(), "relation", draw(), public) for _ in range(sizes["relation"])]
    species: list[Creature] = []
    for _ in range(sizes["genera"]):
        genus, legs = words.pop(), draw()
        species += [
            Creature(f"{genus} {epithet}", "rule", legs, public) for epithet in rng.sample(EPITHETS, sizes["species"])
        ]
    for index in rng.sample(range(len(species)), round(EXCEPTIONS * len(species))):
        old = species[index]
        legs = rng.choice([number for number in range(FEWEST, MOST + 1) if number != old.legs])
        species[index] = Creature(old.name, "exception", legs, public)
    hops = []
    for _ in range(sizes["hops"]):
        kind = rng.choice(relations)
        hops.append(Creature(words.pop(), "hops", kind.legs, public, kind.name))
    group = [*relations, *species, *hops]
    rng.shuffle(group)
    return group
