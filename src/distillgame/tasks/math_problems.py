r"""MATH: competition problems with worked solutions (Hendrycks et al., 2021)."""

from typing import Any

from distillgame.tasks.base import Problem, Task, tasks
from distillgame.tasks.files import Columns, Row, hub_rows, read_pools
from distillgame.tasks.worked import worked_problem

SUBJECTS = (
    "algebra",
    "counting_and_probability",
    "geometry",
    "intermediate_algebra",
    "number_theory",
    "prealgebra",
    "precalculus",
)
_COLUMNS: Columns = {"problem": (str,), "solution": (str,)}


@tasks.register("math")
class Math(Task):
    r"""MATH in its published form, ``problem`` and ``solution`` (with the answer in ``\boxed{}``).

    The published files are sorted by subject, which is why splits are shuffled.

    Args:
        path: A local folder with ``train.jsonl`` and ``test.jsonl`` or one of the two (or ``.parquet``), or a
            single such file; by default all subjects of ``EleutherAI/hendrycks_math`` from the Hugging Face
            hub.
    """

    def __init__(self, path: str | None = None):
        self.path = path

    def pools(self) -> dict[str, list[Problem]]:
        """Return the published splits; ``level`` and ``type`` are in the metadata.

        Raises:
            DistillgameError: If they cannot be read, or if a solution has no answer.
        """
        if self.path is None:
            rows = {
                pool: [
                    row
                    for subject in SUBJECTS
                    for row in hub_rows("EleutherAI/hendrycks_math", subject, pool, _COLUMNS)
                ]
                for pool in ("train", "test")
            }
        else:
            rows = read_pools(self.path, _COLUMNS)
        return {
            pool: [self._problem(f"math/{pool}/{index}", row) for index, row in enumerate(found)]
            for pool, found in rows.items()
        }

    @staticmethod
    def _problem(name: str, row: Row) -> Problem:
        metadata: dict[str, Any] = {key: row.values[key] for key in ("level", "type") if key in row.values}
        return worked_problem(name, row, row.values["problem"], row.values["solution"], metadata)
