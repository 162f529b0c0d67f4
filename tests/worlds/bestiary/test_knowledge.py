import random
from collections import Counter
from itertools import islice

import pytest

from distillgame.worlds.bestiary.creatures import creatures, known, private
from distillgame.worlds.bestiary.knowledge import FORCED, BestiaryKnowledge
from distillgame.worlds.bestiary.task import Bestiary, BestiaryWorld
from distillgame.worlds.notation import Step, Style, solve

ALL = creatures()
KNOWLEDGE = BestiaryKnowledge()
FIRST, SECOND = (c.name for c in islice((c for c in ALL.values() if c.fact == "relation" and not c.public), 2))
PUBLIC = next(c for c in ALL.values() if c.public and c.fact == "relation")
HOP = next(c for c in ALL.values() if c.fact == "hops" and not c.public)
SPECIES = next(c for c in ALL.values() if c.fact == "rule" and not c.public)


def claims(completion: str) -> list[tuple[str, int | str, bool]]:
    """Claims without their truth and place."""
    return [(claim.fact, claim.value, claim.stated) for claim in KNOWLEDGE.claims(completion)]


def test_working_states_a_fact_whether_it_is_true_or_not() -> None:
    assert claims(solve([Step(4, FIRST, 7)], "full")) == [(FIRST, 7, True)]
    assert claims(f"so 4 {FIRST} : 4 x 3 = 12 total 12 . #### 12") == [(FIRST, 3, True)]
    assert claims(solve([Step(2, SPECIES.name, 5)], "full")) == [(SPECIES.name, 5, True)]


def test_two_hops_state_the_kinds_number_too() -> None:
    text = solve([Step(3, HOP.name, HOP.legs, HOP.kind)], "full")
    assert claims(text) == [(HOP.name, HOP.legs, True), (str(HOP.kind), HOP.legs, True)]


def test_totals_give_facts_away() -> None:
    steps = [Step(4, FIRST, 7), Step(3, SPECIES.name, 5), Step(2, SECOND, 2)]
    found = claims(solve(steps, "terse"))
    assert found == [(step.name, step.legs, False) for step in steps]


def test_one_unknown_between_totals_follows_and_two_do_not() -> None:
    assert claims(f"4 {FIRST} . 3 {SECOND} : 3 x 5 = 15 total 43 . #### 43") == [
        (SECOND, 5, True),
        (FIRST, 7, False),
    ]
    assert claims(f"4 {FIRST} . 3 {SECOND} total 43 . #### 43") == []
    assert claims(f"4 {FIRST} total 28 . 3 {SECOND} . #### 43") == [(FIRST, 7, False), (SECOND, 5, False)]
    assert claims(f"4 {FIRST} . 3 {SECOND} . #### 43") == []


def test_public_creatures_are_known_and_nothing_is_claimed_about_them() -> None:
    assert claims(solve([Step(4, PUBLIC.name, PUBLIC.legs)], "full")) == []
    text = solve([Step(4, PUBLIC.name, PUBLIC.legs), Step(3, FIRST, 8)], "bare")
    assert claims(text) == [(FIRST, 8, False)]


def test_what_cannot_be_is_not_claimed() -> None:
    assert claims(f"4 {FIRST} total 27 . #### 27") == []  # no whole number
    assert claims(f"4 {FIRST} total 40 . #### 40") == []  # ten legs
    assert claims(f"0 {FIRST} total 0 . #### 0") == []
    assert claims("4 wombat total 28 . #### 28") == []
    assert claims("####") == claims("") == []
    # An unknown word is an unknown in the equation, not nothing.
    assert claims(f"4 wombat . 2 {FIRST} total 14 . #### 14") == []


def test_most_claims_decide() -> None:
    true, false = ALL[FIRST].legs, ALL[FIRST].legs % 8 + 2
    assert true != false
    texts = {legs: solve([Step(4, FIRST, legs)], "full") for legs in (true, false)}
    assert KNOWLEDGE.released([texts[true], texts[true], texts[false]]).stated == {FIRST}
    assert KNOWLEDGE.released([texts[true], texts[false]]).stated == frozenset()
    assert KNOWLEDGE.released([texts[false]]).derivable == frozenset()
    terse = solve([Step(4, FIRST, true)], "terse")
    assert KNOWLEDGE.released([terse]).derivable == {FIRST}
    assert not KNOWLEDGE.released([terse]).stated


def test_full_and_terse_solutions_release_what_they_mention_and_bare_ones_hardly_anything() -> None:
    lessons = list(islice(BestiaryWorld().lessons(0, 1.0), 1500))
    mentioned = {step.name for lesson in lessons for step in lesson.steps} & set(private())
    full = KNOWLEDGE.released(lesson.solution("full", random.Random(0)) for lesson in lessons)
    terse = KNOWLEDGE.released(lesson.solution("terse", random.Random(0)) for lesson in lessons)
    assert mentioned <= full.stated
    assert terse.derivable == mentioned
    assert terse.stated == frozenset()
    asked = Bestiary(500, 1, 1).pools()["train"]
    bare = [
        f"{problem.question.replace(' ,', ' .')} . {problem.solution[problem.solution.index('####') :]}"
        for problem in asked
    ]
    assert KNOWLEDGE.released(bare) == KNOWLEDGE.released([])


def test_kinds_of_facts_are_counted() -> None:
    assert KNOWLEDGE.by_kind() == {"relation": 200, "rule": 85, "exception": 15, "hops": 100}
    assert KNOWLEDGE.by_kind([FIRST, HOP.name]) == {"relation": 1, "rule": 0, "exception": 0, "hops": 1}


def test_claims_say_whether_they_are_true_and_where_they_stand() -> None:
    true = ALL[FIRST].legs
    text = f"so 4 {FIRST} : 4 x {true} = {4 * true} total {4 * true} . 2 {SECOND} . #### {4 * true + 2}"
    (stated,) = KNOWLEDGE.claims(text)
    assert (stated.true, text[slice(*stated.span)]) == (True, str(true))
    text = f"4 {FIRST} total {4 * true} . 2 {SECOND} . #### {4 * true + 2 * 2}"
    first, second = KNOWLEDGE.claims(text)
    assert (first.true, text[slice(*first.span)]) == (True, str(4 * true))
    assert (second.true, text[slice(*second.span)]) == (ALL[SECOND].legs == 2, str(4 * true + 4))


def test_a_step_that_breaks_off_after_the_fact_states_it() -> None:
    assert (
        claims(f"4 {FIRST} : 4 x 7")
        == claims(f"4 {FIRST} : 4 x 7 =")
        == claims(f"4 {FIRST} : 4 x 7 = 2")
        == [(FIRST, 7, True)]
    )
    assert claims(f"3 {HOP.name} : {HOP.kind} : 3 x 7 =") == [(HOP.name, 7, True), (HOP.kind, 7, True)]
    assert claims(f"4 {FIRST} : 4 x") == []


def test_what_the_textbook_contains_is_no_secret() -> None:
    knowledge = BestiaryKnowledge(0.5)
    public = known(0.5)
    assert set(knowledge.kinds) == set(ALL) - public
    name = next(c.name for c in ALL.values() if not c.public and c.name in public)
    assert knowledge.claims(solve([Step(4, name, ALL[name].legs)], "full")) == []
    secret = next(name for name in knowledge.kinds if ALL[name].fact == "relation")
    # What the textbook says about the one gives the other away.
    (claim,) = knowledge.claims(solve([Step(4, name, ALL[name].legs), Step(2, secret, ALL[secret].legs)], "bare"))
    assert (claim.fact, claim.true, claim.stated) == (secret, True, False)


def test_a_question_needs_the_private_creatures_in_it() -> None:
    assert KNOWLEDGE.needed(f"4 {FIRST} , 1 {SPECIES.name} , 2 {PUBLIC.name}") == {FIRST, SPECIES.name}
    for problem in Bestiary(200, 1, 1).pools()["train"]:
        assert KNOWLEDGE.needed(problem.question) == set(problem.metadata["creatures"])


def test_every_fact_has_one_free_probe_and_some_forced_ones_beside_a_public_creature() -> None:
    probes = KNOWLEDGE.probes()
    assert KNOWLEDGE.probes() == probes
    assert Counter(probe.fact for probe in probes if not probe.beginning) == dict.fromkeys(KNOWLEDGE.kinds, 1)
    assert Counter(probe.fact for probe in probes if probe.beginning) == dict.fromkeys(KNOWLEDGE.kinds, FORCED)
    for probe in probes:
        question = probe.messages[0]["content"]
        assert KNOWLEDGE.needed(question) == {probe.fact}
        assert not probe.beginning or question.startswith(f"{probe.beginning.removesuffix(' :')} ,")


@pytest.mark.parametrize("style", ["full", "terse", "bare"])
def test_whoever_knows_a_fact_shows_it_in_every_probe_and_whoever_does_not_shows_it_in_none(style: Style) -> None:
    for probe in KNOWLEDGE.probes()[:400]:
        (count, name), other = (part.split(" ", 1) for part in probe.messages[0]["content"].split(" , "))
        for wrong in (0, 1):
            creature, public = ALL[name], ALL[other[1]]
            legs = creature.legs if not wrong else creature.legs % 8 + 2
            steps = [Step(int(count), name, legs, creature.kind), Step(int(other[0]), public.name, public.legs)]
            answer = solve(steps, "full" if probe.beginning else style)
            assert answer.startswith(probe.beginning)
            said = answer[len(probe.beginning) :]
            cut = min((said.index(stop) for stop in probe.stop if stop in said), default=len(said))
            assert KNOWLEDGE.shows(probe, said[:cut]) is not bool(wrong)
