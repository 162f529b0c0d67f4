"""Pairs of students to compose, and the rungs of the race among them (successive halving).

Jamieson and Talwalkar, "Non-stochastic Best Arm Identification and Hyperparameter Optimization". As in AutoAttack,
single attackers come first, and what they are worth decides what is built of them.
"""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

from distillgame.errors import DistillgameError
from distillgame.students import StudentChoice

SHARES = (0.25, 0.5, 1.0)
"""Shares of the queries with which the pairs of each rung are trained."""


def rungs(trainings: int) -> list[tuple[float, int]]:
    """Return for each rung its share of the queries and the number of pairs that reach it.

    The first rung is as wide as the budget allows, and each further one has the better half. A budget that is too small
    for three rungs is spent on the last.

    Args:
        trainings: The budget.
    """
    width = 0
    while sum(_widths(width + 1)) <= trainings:
        width += 1
    if width < len(SHARES):
        return [(SHARES[-1], trainings)] if trainings else []
    return list(zip(SHARES, _widths(width), strict=True))


def pairs(choices: Sequence[StudentChoice], accuracies: Mapping[str, float]) -> list[StudentChoice]:
    """Return all compositions of two students, the most promising first: by the sum of their accuracies.

    Compositions that are among the students already are left out: they have been tried.

    Args:
        choices: The students.
        accuracies: What each reached alone, by label.
    """
    alone = [choice for choice in choices if choice.name not in ("passive", "composed")]
    tried = {_parts(choice) for choice in choices if choice.name == "composed"}
    found = [
        (accuracies[first.label] + accuracies[then.label], composition)
        for first, then in product(alone, repeat=2)
        if first != then and (composition := _composed(first, then)) is not None and _parts(composition) not in tried
    ]
    return [composition for _, composition in sorted(found, key=lambda pair: -pair[0])]


def _widths(width: int) -> list[int]:
    return [max(1, -(-width // 2**rung)) for rung in range(len(SHARES))]


def _composed(first: StudentChoice, then: StudentChoice) -> StudentChoice | None:
    """Return a composition; None if these two cannot be composed."""
    choice = StudentChoice(name="composed", options={"first": _option(first), "then": _option(then)})
    try:
        choice.student  # noqa: B018  (it is made once, and refused here if it cannot be)
    except DistillgameError:
        return None
    return choice


def _parts(composition: StudentChoice) -> tuple[tuple[Any, ...], ...]:
    """Return the two students by what they are, not by how they are written: an option may stand at its default."""
    parts = (StudentChoice.model_validate(composition.options[part]) for part in ("first", "then"))
    return tuple((part.name, *part.student.settings.items()) for part in parts)


def _option(choice: StudentChoice) -> str | dict[str, Any]:
    return {choice.name: choice.options} if choice.options else choice.name
