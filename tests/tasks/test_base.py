"""What a task makes of its solutions."""

import random

from distillgame.tasks import TaskChoice


def test_a_reduced_solution_loses_lines_but_not_its_answer() -> None:
    lines = [f"step {i}" for i in range(200)]
    text = "\n".join([*lines, "#### 7"])
    task, generator, shares = TaskChoice(name="gsm8k").task, random.Random(0), []
    for _ in range(200):
        kept = task.reduced(text, generator).splitlines()
        assert kept[-1] == "#### 7"
        assert kept[:-1] == [line for line in lines if line in set(kept)]
        shares.append(len(kept[:-1]) / 200)
    # Kept shares are uniform over [0, 1]: the mean of 200 has a standard error of .02, and three of them are .3%.
    assert abs(sum(shares) / 200 - 0.5) < 0.062
    assert min(shares) < 0.1
    assert max(shares) > 0.9
    assert task.reduced("", generator) == ""
