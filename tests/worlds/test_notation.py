import random
from collections import Counter

from distillgame.worlds.bestiary.task import Bestiary
from distillgame.worlds.notation import WORKING, Step, ask, shown_shares, solve

STEPS = [Step(4, "cockroach", 6), Step(3, "praying-mantis", 6)]
HOPS = [Step(2, "mirko", 7, "blap"), Step(1, "zeb mok", 4)]


def test_a_full_solution_works_step_by_step() -> None:
    expected = "4 cockroach : 4 x 6 = 24 total 24 . 3 praying-mantis : 3 x 6 = 18 total 42 . #### 42"
    assert solve(STEPS, "full") == expected
    assert ask(STEPS) == "4 cockroach , 3 praying-mantis"


def test_a_full_solution_names_the_kind_that_a_name_stands_for() -> None:
    assert solve(HOPS, "full") == "2 mirko : blap : 2 x 7 = 14 total 14 . 1 zeb mok : 1 x 4 = 4 total 18 . #### 18"
    assert ask(HOPS) == "2 mirko , 1 zeb mok"


def test_terse_drops_the_working_bare_the_totals_and_direct_the_steps() -> None:
    assert solve(STEPS, "terse") == "4 cockroach total 24 . 3 praying-mantis total 42 . #### 42"
    assert solve(HOPS, "bare") == "2 mirko . 1 zeb mok . #### 18"
    assert solve(STEPS, "direct") == "#### 42"


def test_half_tosses_a_coin_a_step_and_mixed_draws_one_of_three_ways() -> None:
    rng = random.Random(0)
    shown = sum(solve(STEPS, "half", rng).count(" x ") for _ in range(500))
    assert 430 < shown < 570
    ways: Counter[str] = Counter()
    for _ in range(500):
        for step in solve(STEPS, "mixed", rng).split(" .")[:2]:
            ways["full" if " x " in step else "terse" if "total" in step else "bare"] += 1
    assert all(270 < count < 400 for count in ways.values())  # 333 each, four standard deviations of 15


def test_a_bare_step_still_counts() -> None:
    rng = random.Random(3)
    for _ in range(50):
        assert solve(STEPS, "mixed", rng).endswith("#### 42")


def test_connectives_stand_before_some_steps_but_never_in_the_reference() -> None:
    rng = random.Random(0)
    texts = [solve(STEPS, "full", rng) for _ in range(200)]
    assert 35 < sum(text.startswith(("so ", "next ")) for text in texts) < 85  # 30% of 200
    assert any(text.startswith("so 4") for text in texts)
    assert any("next 3" in text for text in texts)


def test_a_reduced_solution_lost_the_working_of_some_steps_and_nothing_else() -> None:
    task, generator, lost = Bestiary(1, 1, 1), random.Random(0), []
    full, terse = "3 ant : 3 x 6 = 18 total 18", "3 ant total 18"
    for _ in range(300):
        steps = task.reduced(" . ".join([full] * 4), generator).split(" . ")
        assert set(steps) <= {full, terse}
        lost.append(steps.count(terse))
    # With a uniform share, every number of lost workings from 0 to 4 is equally likely: chi-square with 4 degrees of
    # freedom exceeds 18.5 by chance once in a thousand times.
    assert sum((lost.count(k) - 60) ** 2 / 60 for k in range(5)) < 18.5


def test_a_summary_is_the_terse_style() -> None:
    for steps in (STEPS, HOPS):
        assert Bestiary(1, 1, 1).summary(solve(steps, "full")) == solve(steps, "terse")
        assert WORKING.sub("", solve(steps, "bare")) == solve(steps, "bare")


def test_shares_of_steps_with_working_and_totals() -> None:
    texts = [solve(HOPS, style) for style in ("full", "terse", "bare", "direct")]
    assert shown_shares(texts) == (2 / 6, 4 / 6)
    assert shown_shares(["#### 3", ""]) == (0, 0)
