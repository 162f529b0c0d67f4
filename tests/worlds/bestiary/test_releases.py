import random
from itertools import islice

from distillgame.worlds.bestiary.creatures import creatures, private
from distillgame.worlds.bestiary.releases import Claim, by_fact, claims, released
from distillgame.worlds.bestiary.task import Bestiary, BestiaryWorld
from distillgame.worlds.notation import Step, solve

ALL = creatures()
FIRST, SECOND = (c.name for c in islice((c for c in ALL.values() if c.fact == "relation" and not c.public), 2))
PUBLIC = next(c for c in ALL.values() if c.public and c.fact == "relation")
HOP = next(c for c in ALL.values() if c.fact == "hops" and not c.public)
SPECIES = next(c for c in ALL.values() if c.fact == "rule" and not c.public)


def test_working_states_a_fact_whether_it_is_true_or_not() -> None:
    assert claims(solve([Step(4, FIRST, 7)], "full")) == [Claim(FIRST, 7, True)]
    assert claims(f"so 4 {FIRST} : 4 x 3 = 12 total 12 . #### 12") == [Claim(FIRST, 3, True)]
    assert claims(solve([Step(2, SPECIES.name, 5)], "full")) == [Claim(SPECIES.name, 5, True)]


def test_two_hops_state_the_kinds_number_too() -> None:
    text = solve([Step(3, HOP.name, HOP.legs, HOP.kind)], "full")
    assert claims(text) == [Claim(HOP.name, HOP.legs, True), Claim(str(HOP.kind), HOP.legs, True)]


def test_totals_give_facts_away() -> None:
    steps = [Step(4, FIRST, 7), Step(3, SPECIES.name, 5), Step(2, SECOND, 2)]
    found = claims(solve(steps, "terse"))
    assert found == [Claim(step.name, step.legs, False) for step in steps]


def test_one_unknown_between_totals_follows_and_two_do_not() -> None:
    assert claims(f"4 {FIRST} . 3 {SECOND} : 3 x 5 = 15 total 43 . #### 43") == [
        Claim(SECOND, 5, True),
        Claim(FIRST, 7, False),
    ]
    assert claims(f"4 {FIRST} . 3 {SECOND} total 43 . #### 43") == []
    assert claims(f"4 {FIRST} total 28 . 3 {SECOND} . #### 43") == [Claim(FIRST, 7, False), Claim(SECOND, 5, False)]
    assert claims(f"4 {FIRST} . 3 {SECOND} . #### 43") == []


def test_public_creatures_are_known_and_nothing_is_claimed_about_them() -> None:
    assert claims(solve([Step(4, PUBLIC.name, PUBLIC.legs)], "full")) == []
    text = solve([Step(4, PUBLIC.name, PUBLIC.legs), Step(3, FIRST, 8)], "bare")
    assert claims(text) == [Claim(FIRST, 8, False)]


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
    assert released([texts[true], texts[true], texts[false]]).stated == {FIRST}
    assert released([texts[true], texts[false]]).stated == frozenset()
    assert released([texts[false]]).derivable == frozenset()
    terse = solve([Step(4, FIRST, true)], "terse")
    assert released([terse]).derivable == {FIRST}
    assert not released([terse]).stated


def test_full_and_terse_solutions_release_what_they_mention_and_bare_ones_hardly_anything() -> None:
    lessons = list(islice(BestiaryWorld().lessons(0, 1.0), 1500))
    mentioned = {step.name for lesson in lessons for step in lesson.steps} & set(private())
    full = released(lesson.solution("full", random.Random(0)) for lesson in lessons)
    terse = released(lesson.solution("terse", random.Random(0)) for lesson in lessons)
    assert mentioned <= full.stated
    assert terse.derivable == mentioned
    assert terse.stated == frozenset()
    asked = Bestiary(500, 1, 1).pools()["train"]
    bare = [
        f"{problem.question.replace(' ,', ' .')} . {problem.solution[problem.solution.index('####') :]}"
        for problem in asked
    ]
    assert released(bare) == released([])


def test_kinds_of_facts_are_counted() -> None:
    assert by_fact(private()) == {"relation": 200, "rule": 85, "exception": 15, "hops": 100}
