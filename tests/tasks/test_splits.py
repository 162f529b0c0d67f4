import pytest
from hypothesis import given
from hypothesis import strategies as st

from distillgame.errors import DistillgameError
from distillgame.tasks import SPLITS, Problem, Task, split

SIZES = {"train": 20, "holdout": 5, "defender": 5, "validation": 5, "test": 10}


class _Fixed(Task):
    def __init__(self, **pools: list[str]):
        self._pools = {
            pool: [Problem(f"{pool}/{index}", question, "1") for index, question in enumerate(questions)]
            for pool, questions in pools.items()
        }

    def pools(self) -> dict[str, list[Problem]]:
        return self._pools


def _questions(prefix: str, number: int) -> list[str]:
    return [f"{prefix}{index}" for index in range(number)]


@pytest.fixture
def task() -> _Fixed:
    return _Fixed(train=_questions("a", 50), test=_questions("b", 20))


def test_sizes(task: _Fixed) -> None:
    assert {name: len(problems) for name, problems in split(task, SIZES).items()} == SIZES


def test_missing_names_get_nothing(task: _Fixed) -> None:
    assert {name: len(problems) for name, problems in split(task, {"test": 2}).items()} == {
        **dict.fromkeys(SPLITS, 0),
        "test": 2,
    }


def test_each_pool_serves_its_splits(task: _Fixed) -> None:
    for name, problems in split(task, SIZES).items():
        assert {problem.id.partition("/")[0] for problem in problems} == {"test" if name == "test" else "train"}


@given(st.integers(0, 10**6))
def test_splits_are_disjoint_and_repeatable(seed: int) -> None:
    task = _Fixed(train=_questions("a", 40), test=_questions("b", 12))
    drawn = split(task, SIZES, seed)
    assert drawn == split(task, SIZES, seed)
    assert len({problem.id for problems in drawn.values() for problem in problems}) == sum(SIZES.values())


def test_pools_are_shuffled_by_the_seed(task: _Fixed) -> None:
    first, second = (split(task, SIZES, seed)["train"] for seed in (0, 1))
    assert first != second
    assert [problem.id for problem in first] != sorted(problem.id for problem in first)


def test_a_larger_train_split_leaves_the_others_as_they_are(task: _Fixed) -> None:
    small, large = split(task, SIZES), split(task, {**SIZES, "train": 30})
    assert all(small[name] == large[name] for name in SPLITS if name != "train")
    assert large["train"][:20] == small["train"]


@pytest.mark.parametrize("pool", ["train", "test"])
def test_one_pool_gives_all_splits(pool: str) -> None:
    drawn = split(_Fixed(**{pool: _questions("a", 45)}), SIZES)
    assert len({problem.id for problems in drawn.values() for problem in problems}) == 45


def test_a_repeated_problem_is_used_once() -> None:
    drawn = split(_Fixed(train=["a", "b", "a", "b"], test=["c"]), {"train": 2, "test": 1})
    assert sorted(problem.question for problem in drawn["train"]) == ["a", "b"]


def test_a_problem_of_both_pools_stays_in_test() -> None:
    drawn = split(_Fixed(train=["a", "b"], test=["b"]), {"train": 1, "test": 1})
    assert drawn["train"][0].question == "a"
    with pytest.raises(DistillgameError, match="has 1 left"):
        split(_Fixed(train=["a", "b"], test=["b"]), {"train": 2})


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"train": 51}, "split 'train' asks for 51 problems, but pool 'train' has 50 left"),
        ({"train": 46, "holdout": 5}, "split 'train' asks for 46 problems, but pool 'train' has 45 left"),
        ({"test": 21}, "split 'test' asks for 21 problems, but pool 'test' has 20 left"),
        ({"dev": 1}, "unknown split 'dev': choose one of train, holdout"),
        ({"train": -1}, "size -1 is negative"),
    ],
)
def test_bad_sizes(task: _Fixed, sizes: dict[str, int], message: str) -> None:
    with pytest.raises(DistillgameError, match=message):
        split(task, sizes)


def test_a_task_without_a_known_pool_is_refused() -> None:
    with pytest.raises(DistillgameError, match="no pool 'train' or 'test'; found: dev"):
        split(_Fixed(dev=["a"]), {"train": 1})


def test_a_holdout_pool_gives_the_holdout_alone() -> None:
    task = _Fixed(train=_questions("a", 50), test=_questions("b", 20), holdout=_questions("c", 10))
    for name, problems in split(task, SIZES).items():
        prefix = {"test": "b", "holdout": "c"}.get(name, "a")
        assert {problem.question[0] for problem in problems} == {prefix}


def test_what_is_asked_or_tested_is_not_public() -> None:
    shared = ["a0", "b0", "c0", "c1"]
    task = _Fixed(train=_questions("a", 35), test=_questions("b", 10), holdout=shared)
    found = split(task, SIZES | {"train": 25, "holdout": 2})
    assert {problem.question for problem in found["holdout"]} == {"c0", "c1"}
    with pytest.raises(DistillgameError, match="'holdout' asks for 3 problems, but pool 'holdout' has 2 left"):
        split(task, SIZES | {"train": 25, "holdout": 3})


def test_a_holdout_pool_leaves_the_other_splits_as_they_are() -> None:
    pools = {"train": _questions("a", 50), "test": _questions("b", 20)}
    sizes = SIZES | {"holdout": 0}
    assert split(_Fixed(**pools), sizes) == split(_Fixed(**pools, holdout=_questions("c", 10)), sizes)
