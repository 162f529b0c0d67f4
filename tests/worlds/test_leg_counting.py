from itertools import islice

import pytest

from distillgame.errors import DistillgameError
from distillgame.tasks import split
from distillgame.worlds.leg_counting import LegCounting, as_steps, legs, sample_animals
from distillgame.worlds.notation import ask, is_reserved, solve


def test_problems_are_reasoning_gyms_with_its_answers() -> None:
    from reasoning_gym import create_dataset

    dataset = create_dataset("leg_counting", seed=3, size=50)
    for entry in dataset:
        assert solve(as_steps(entry["metadata"]["animals"]), "full").endswith(f"#### {entry['answer']}")


def test_pools_are_distinct_reserved_and_seeded() -> None:
    pools = LegCounting(train=300, test=100, seed=1).pools()
    questions = [problem.question for pool in pools.values() for problem in pool]
    assert (len(pools["train"]), len(pools["test"])) == (300, 100)
    assert len(set(questions)) == 400
    assert all(is_reserved(question) for question in questions)
    assert LegCounting(train=300, test=100, seed=1).pools() == pools
    assert LegCounting(train=300, test=100, seed=2).pools() != pools


def test_a_quarter_of_all_problems_is_reserved() -> None:
    reserved = sum(is_reserved(ask(as_steps(animals))) for animals in islice(sample_animals(0), 4000))
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
