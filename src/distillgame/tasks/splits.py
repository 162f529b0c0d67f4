"""Seeded, shuffled, disjoint splits of a task's problems."""

import random
from collections.abc import Mapping

from distillgame.errors import DistillgameError
from distillgame.tasks.base import Problem, Task

SPLITS = ("train", "holdout", "defender", "validation", "test")
"""The splits and their purposes.

``train`` has the problems that the attacker asks the released teacher. ``holdout`` is for the attacker's validation
objective and ``defender`` for the defender's own (its gradient g); they never share a problem. ``validation`` is for
choosing hyper-parameters and strengths. Results are reported on ``test``.
"""


def split(task: Task, sizes: Mapping[str, int], seed: int = 0) -> dict[str, list[Problem]]:
    """Draw disjoint splits from a task's published pools.

    The test split is drawn from the published test pool and all others from the train pool; if a task has only one of
    the two, all are drawn from it. A task may have a pool ``holdout``, too: what is public may differ from what
    the attacker asks. Pools are shuffled first, because published files are often sorted by subject. Duplicates within
    a pool are used once; a problem in several pools stays in test, then in train.

    Args:
        task: The task to split.
        sizes: Number of problems of each split; a missing name gets none.
        seed: Seed of the shuffle.

    Returns:
        A list of problems for each name in :data:`SPLITS`.

    Raises:
        DistillgameError: If a name is unknown, a size negative, or a pool too small.
    """
    for name, size in sizes.items():
        if name not in SPLITS:
            raise DistillgameError(f"unknown split '{name}': choose one of {', '.join(SPLITS)}")
        if size < 0:
            raise DistillgameError(f"split '{name}': its size {size} is negative")
    pools = task.pools()
    if not {"train", "test"} & set(pools):
        raise DistillgameError(f"a task has no pool 'train' or 'test'; found: {', '.join(pools) or 'nothing'}")
    test_pool = "test" if "test" in pools else "train"
    train_pool = "train" if "train" in pools else "test"
    source = dict.fromkeys(SPLITS, train_pool) | {"test": test_pool}
    if "holdout" in pools:
        source["holdout"] = "holdout"
    taken: set[str] = set()
    shuffled: dict[str, list[Problem]] = {}
    for pool in dict.fromkeys((test_pool, train_pool, source["holdout"])):
        unique: dict[str, Problem] = {}
        for problem in pools[pool]:
            if problem.question not in taken:
                unique.setdefault(problem.question, problem)
        taken.update(unique)
        shuffled[pool] = list(unique.values())
        random.Random(f"{seed}/{pool}").shuffle(shuffled[pool])
    result: dict[str, list[Problem]] = {}
    for name in reversed(SPLITS):
        pool = source[name]
        size = sizes.get(name, 0)
        if size > len(shuffled[pool]):
            left = len(shuffled[pool])
            raise DistillgameError(f"split '{name}' asks for {size} problems, but pool '{pool}' has {left} left")
        result[name], shuffled[pool] = shuffled[pool][:size], shuffled[pool][size:]
    return {name: result[name] for name in SPLITS}
