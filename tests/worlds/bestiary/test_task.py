from collections import Counter
from itertools import islice

import pytest

from distillgame.errors import DistillgameError
from distillgame.tasks import TaskChoice, split
from distillgame.worlds.bestiary.creatures import creatures, known
from distillgame.worlds.bestiary.task import PRIVATE_SHARE, Bestiary, BestiaryWorld
from distillgame.worlds.notation import is_reserved

SMALL = Bestiary(train=300, test=100, holdout=200)


def _names(task: Bestiary, pool: str) -> Counter[str]:
    return Counter(name for problem in task.pools()[pool] for name in problem.metadata["creatures"])


def test_pools_are_distinct_reserved_and_seeded() -> None:
    pools = SMALL.pools()
    questions = [problem.question for pool in pools.values() for problem in pool]
    assert {name: len(pool) for name, pool in pools.items()} == {"train": 300, "test": 100, "holdout": 200}
    assert len(set(questions)) == 600
    assert all(is_reserved(question) for question in questions)
    assert Bestiary(300, 100, 200).pools() == pools
    assert Bestiary(300, 100, 200, seed=1).pools() != pools


def test_what_is_asked_is_private_and_what_is_public_is_not() -> None:
    public = known(0.0)
    assert not set(_names(SMALL, "train")) & public
    assert not set(_names(SMALL, "test")) & public
    assert set(_names(SMALL, "holdout")) <= public


@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
def test_a_textbook_contains_a_share_of_the_private_facts(share: float) -> None:
    found = set(_names(Bestiary(1, 1, 3000, textbook=share), "holdout"))
    assert found <= known(share)
    assert len(found - known(0.0)) > 0.9 * len(known(share) - known(0.0))


def test_solutions_state_the_facts() -> None:
    for problem in SMALL.pools()["train"]:
        total = 0
        for name, count in problem.metadata["creatures"].items():
            total += count * creatures()[name].legs
            assert (
                f"{count} x {creatures()[name].legs} = {count * creatures()[name].legs} total {total}"
                in problem.solution
            )
        assert problem.solution.endswith(f"#### {total}")
        assert SMALL.grade(problem.solution, problem).correct
        assert not SMALL.grade(f"#### {total + 1}", problem).correct


def test_the_holdout_split_is_the_textbook() -> None:
    sizes = {"train": 100, "defender": 50, "validation": 50, "holdout": 150, "test": 80}
    splits = split(SMALL, sizes)
    textbook = {problem.id for problem in SMALL.pools()["holdout"]}
    for name, problems in splits.items():
        assert all((problem.id in textbook) == (name == "holdout") for problem in problems)
        assert len(problems) == sizes[name]


def test_a_lesson_has_mostly_private_creatures() -> None:
    lessons = list(islice(BestiaryWorld().lessons(0, 1.0), 1000))
    names = [step.name for lesson in lessons for step in lesson.steps]
    private = sum(not creatures()[name].public for name in names) / len(names)
    assert abs(private - PRIVATE_SHARE) < 0.04
    assert all(len({step.name for step in lesson.steps}) == len(lesson.steps) for lesson in lessons)


@pytest.mark.parametrize("knowledge", [0.0, 0.5, 1.0])
def test_a_model_is_taught_what_it_knows_and_random_numbers_otherwise(knowledge: float) -> None:
    facts = known(knowledge)
    right = Counter[bool]()
    unknown = 0
    for lesson in islice(BestiaryWorld().lessons(1, knowledge), 3000):
        for step in lesson.steps:
            creature = creatures()[step.name]
            known_through = creature.kind is None or creature.kind in facts
            if step.name in facts and known_through:
                assert (step.legs, step.kind) == (creature.legs, creature.kind)
            elif step.name in facts:
                assert step.kind == creature.kind
            elif creature.kind is None:
                unknown += 1
                right[step.legs == creature.legs] += 1
    if knowledge == 1.0:
        assert unknown == 0
    else:
        assert abs(right[True] / unknown - 1 / 8) < 4 * (1 / 8 * 7 / 8 / unknown) ** 0.5


def test_bad_options_are_refused() -> None:
    for options in ({"textbook": 1.5}, {"holdout": 0}, {"train": 0}):
        with pytest.raises(DistillgameError, match="task 'bestiary'"):
            Bestiary(**options)


def test_the_task_is_found_by_its_name() -> None:
    assert isinstance(TaskChoice(name="bestiary", options={"textbook": 0.5}).task, Bestiary)
