r"""MATH: competition problems with worked solutions (Hendrycks et al., 2021)."""

from typing import Any, ClassVar

from distillgame.tables import TableRow
from distillgame.tasks.base import Problem, tasks
from distillgame.tasks.benchmarks.published import PublishedTask, worked_problem
from distillgame.tasks.benchmarks.sources import Columns, hub_rows

SUBJECTS = (
    "algebra",
    "counting_and_probability",
    "geometry",
    "intermediate_algebra",
    "number_theory",
    "prealgebra",
    "precalculus",
)


@tasks.register("math")
class Math(PublishedTask):
    r"""MATH in its published form, ``problem`` and ``solution`` (with the answer in ``\boxed{}``).

    The published files are sorted by subject, which is why splits are shuffled.

    Args:
        path: A local folder with ``train.jsonl`` and ``test.jsonl`` or one of the two (or ``.parquet``), or a
            single such file; by default all subjects of ``EleutherAI/hendrycks_math`` from the Hugging Face
            hub.
    """

    name = "math"
    columns: ClassVar[Columns] = {"problem": (str,), "solution": (str,)}
    extras = ("level", "type")

    def hub_pools(self) -> dict[str, list[TableRow]]:
        """Load all subjects of ``EleutherAI/hendrycks_math``."""
        return {
            pool: [
                row
                for subject in SUBJECTS
                for row in hub_rows("EleutherAI/hendrycks_math", subject, pool, self.columns)
            ]
            for pool in ("train", "test")
        }

    def problem(self, name: str, row: TableRow) -> Problem:
        """Return the problem in a row, with ``level`` and ``type`` in its metadata.

        Raises:
            DistillgameError: If the question is empty or the solution has no answer.
        """
        metadata: dict[str, Any] = {key: row.values[key] for key in ("level", "type") if key in row.values}
        return worked_problem(name, row, row.values["problem"], row.values["solution"], metadata)
