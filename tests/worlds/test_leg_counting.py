import random
from itertools import islice

import pytest

from distillgame.errors import DistillgameError
from distillgame.tasks import split
from distillgame.worlds.leg_counting import LegCounting, ask, is_reserved, legs, sample_animals, solve

ANIMALS = {"cockroach": 4, "praying mantis": 3}


def test_a_full_solution_works_step_by_step() -> None:
    expected = "4 cockroach : 4 x 6 = 24 total 24 . 3 praying-mantis : 3 x 6 = 18 total 42 . #### 42"
    assert solve(ANIMALS, "full") == expected
    assert ask(ANIMALS) == "4 cockroach , 3 praying-mantis"


def test_terse_drops_the_working_and_direct_the_steps() -> None:
    assert solve(ANIMALS, "terse") == "4 cockroach total 24 . 3 praying-mantis total 42 . #### 42"
    assert solve(ANIMALS, "direct") == "#### 42"


def test_half_tosses_a_coin_a_step() -> None:
    rng = random.Random(0)
    shown = sum(solve(ANIMALS, "half", rng).count(" x ") for _ in range(500))
    assert 430 < shown < 570


def test_connectives_stand_before_some_steps_but_never_in_the_reference() -> None:
    rng = random.Random(0)
    texts = [solve(ANIMALS, "full", rng) for _ in range(200)]
    assert 35 < sum(text.startswith(("so ", "next ")) for text in texts) < 85  # 30% of 200
    assert any(text.startswith("so 4") for text in texts)
    assert any("next 3" in text for text in texts)


def test_problems_are_reasoning_gyms_with_its_answers() -> None:
    from reasoning_gym import create_dataset

    dataset = create_dataset("leg_counting", seed=3, size=50)
    for entry in dataset:
        assert solve(entry["metadata"]["animals"], "full").endswith(f"#### {entry['answer']}")


def test_pools_are_distinct_reserved_and_seeded() -> None:
    pools = LegCounting(train=300, test=100, seed=1).pools()
    questions = [problem.question for pool in pools.values() for problem in pool]
    assert (len(pools["train"]), len(pools["test"])) == (300, 100)
    assert len(set(questions)) == 400
    assert all(is_reserved(question) for question in questions)
    assert LegCounting(train=300, test=100, seed=1).pools() == pools
    assert LegCounting(train=300, test=100, seed=2).pools() != pools


def test_a_quarter_of_all_problems_is_reserved() -> None:
    reserved = sum(is_reserved(ask(animals)) for animals in islice(sample_animals(0), 4000))
    assert 850 < reserved < 1150


def test_every_reference_solution_grades_itself_as_right() -> None:
    task = LegCounting(train=100, test=50)
    for problem in split(task, {"train": 100})["train"]:
        assert task.grade(problem.solution, problem).correct
        assert not task.grade(problem.solution + "1", problem).correct


def test_every_animal_has_its_legs() -> None:
    assert legs()["praying-mantis"] == 6
    assert len(legs()) == 37


def test_empty_pools_are_refused() -> None:
    with pytest.raises(DistillgameError, match="pools need at least one problem"):
        LegCounting(train=0)
