"""Problems whose gold answer is found in a worked solution."""

from collections.abc import Mapping
from typing import Any

from distillgame.errors import DistillgameError
from distillgame.tasks.base import Problem
from distillgame.tasks.extraction import gold_answers
from distillgame.tasks.files import Row


def worked_problem(
    name: str, row: Row, question: str, solution: str, metadata: Mapping[str, Any] | None = None
) -> Problem:
    """Return the problem of a row, once it is certain that it can be graded.

    Raises:
        DistillgameError: If the question is empty or no answer is found in the solution.
    """
    if not question.strip():
        raise DistillgameError(f"{row.place}: the question is empty")
    if not gold_answers(solution):
        raise DistillgameError(rf"{row.place}: the solution has no answer: end it in \boxed{{...}} or #### ...")
    return Problem(name, question, solution, metadata or {})
