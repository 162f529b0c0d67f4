from collections import Counter

import pytest

from distillgame.worlds.bestiary.creatures import (
    EPITHETS,
    EXCEPTIONS,
    FEWEST,
    MOST,
    PRIVATE,
    PUBLIC,
    TAIL,
    creatures,
    frequencies,
    known,
)
from distillgame.worlds.notation import CONNECTIVES, SIGNS

ALL = creatures()


@pytest.mark.parametrize(("public", "sizes"), [(False, PRIVATE), (True, PUBLIC)])
def test_there_are_as_many_creatures_of_each_kind_as_planned(public: bool, sizes: dict[str, int]) -> None:
    found = Counter(creature.fact for creature in ALL.values() if creature.public == public)
    species = sizes["genera"] * sizes["species"]
    assert (found["relation"], found["hops"]) == (sizes["relation"], sizes["hops"])
    assert found["rule"] + found["exception"] == species
    assert found["exception"] == round(EXCEPTIONS * species)


def test_a_species_follows_its_genus_unless_it_is_an_exception() -> None:
    rules = {creature.root: creature.legs for creature in ALL.values() if creature.fact == "rule"}
    for creature in ALL.values():
        if creature.fact in {"rule", "exception"}:
            assert (creature.legs == rules[creature.root]) == (creature.fact == "rule")


def test_a_name_stands_for_a_creature_of_the_same_publicity() -> None:
    for creature in ALL.values():
        if creature.fact == "hops":
            assert creature.kind is not None
            kind = ALL[creature.kind]
            assert (kind.fact, kind.legs, kind.public) == ("relation", creature.legs, creature.public)


def test_legs_are_spread_over_their_range() -> None:
    found = Counter(creature.legs for creature in ALL.values() if creature.fact == "relation")
    assert set(found) == set(range(FEWEST, MOST + 1))
    assert max(found.values()) < 236 * 0.25


def test_no_word_means_two_things() -> None:
    genera = {creature.root for creature in ALL.values() if creature.fact in {"rule", "exception"}}
    names = [creature.name for creature in ALL.values() if creature.fact in {"relation", "hops"}]
    words = [*genera, *EPITHETS, *names, *CONNECTIVES, *SIGNS]
    assert len(set(words)) == len(words)


def test_frequencies_have_a_long_tail() -> None:
    names, cumulative = frequencies(creature.name for creature in ALL.values() if not creature.public)
    weights = [after - before for before, after in zip([0.0, *cumulative], cumulative, strict=False)]
    assert len(names) == 400
    assert weights[0] / weights[-1] == pytest.approx(400**TAIL)
    assert weights[99] / weights[199] == pytest.approx(2**TAIL)


def test_who_knows_more_knows_what_others_know() -> None:
    public = {name for name, creature in ALL.items() if creature.public}
    assert known(0.0) == public
    assert known(0.3) < known(0.6) < known(1.0) == set(ALL)
    assert 100 < len(known(0.5) - public) < 300
    for name in known(0.5):
        assert {other for other in ALL if ALL[other].root == ALL[name].root} <= known(0.5)
