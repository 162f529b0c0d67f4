"""Tasks whose problems are rows of published files with worked solutions."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from distillgame.errors import DistillgameError
from distillgame.tables import TableRow
from distillgame.tasks.base import Problem, Task
from distillgame.tasks.benchmarks.sources import Columns, read_pools
from distillgame.tasks.grading import gold_answers


class PublishedTask(Task):
    """A task that is read from local files or from the Hugging Face hub, one problem per row.

    Attributes:
        name: The first part of the problems' ids.
        columns: The columns that every row must have.
        extras: Columns that are read where a row has them.

    Args:
        path: A local folder with ``train`` and ``test`` files or one of the two, or a single such file: JSON
            Lines, a JSON array or Parquet, compressed or not; None loads the published data set from the hub.
    """

    name: ClassVar[str]
    columns: ClassVar[Columns]
    extras: ClassVar[tuple[str, ...]] = ()

    def __init__(self, path: str | None = None):
        self.path = path

    def pools(self) -> dict[str, list[Problem]]:
        """Return the published splits.

        Raises:
            DistillgameError: If they cannot be read, or if a row is not a valid problem.
        """
        rows = self.hub_pools() if self.path is None else read_pools(self.path, self.columns, self.extras)
        return {
            pool: [self.problem(f"{self.name}/{pool}/{index}", row) for index, row in enumerate(found)]
            for pool, found in rows.items()
        }

    @abstractmethod
    def hub_pools(self) -> dict[str, list[TableRow]]:
        """Load the rows of each pool from the Hugging Face hub."""

    @abstractmethod
    def problem(self, name: str, row: TableRow) -> Problem:
        """Return the problem in a row.

        Raises:
            DistillgameError: If the row is not a valid problem.
        """


def worked_problem(
    name: str, row: TableRow, question: str, solution: str, metadata: Mapping[str, Any] | None = None
) -> Problem:
    """Return the problem in a row after checking that it can be graded.

    Raises:
        DistillgameError: If the question is empty or the solution has no answer.
    """
    if not question.strip():
        raise DistillgameError(f"{row.place}: the question is empty")
    if not gold_answers(solution):
        raise DistillgameError(rf"{row.place}: the solution has no answer: end it in \boxed{{...}} or #### ...")
    return Problem(name, question, solution, metadata or {})
