"""GSM8K: grade-school word problems with worked solutions (Cobbe et al., 2021)."""

import re

from distillgame.tasks.base import Problem, Task, tasks
from distillgame.tasks.files import Columns, Row, hub_rows, read_pools
from distillgame.tasks.worked import worked_problem

_COLUMNS: Columns = {"question": (str,), "answer": (str,)}
_ANNOTATION = re.compile(r"<<[^<>]*>>")


@tasks.register("gsm8k")
class Gsm8k(Task):
    """GSM8K in its published form, ``question`` and ``answer``.

    Args:
        path: A local folder with ``train.jsonl`` and ``test.jsonl`` (or ``.parquet``), or a single such file;
            by default ``openai/gsm8k`` from the Hugging Face hub.
    """

    def __init__(self, path: str | None = None):
        self.path = path

    def pools(self) -> dict[str, list[Problem]]:
        """Return the published splits, with the solutions' calculator annotations ``<<3+4=7>>`` taken out.

        Raises:
            DistillgameError: If they cannot be read, or if a solution has no answer.
        """
        if self.path is None:
            rows = {pool: hub_rows("openai/gsm8k", "main", pool, _COLUMNS) for pool in ("train", "test")}
        else:
            rows = read_pools(self.path, _COLUMNS)
        return {
            pool: [self._problem(f"gsm8k/{pool}/{index}", row) for index, row in enumerate(found)]
            for pool, found in rows.items()
        }

    @staticmethod
    def _problem(name: str, row: Row) -> Problem:
        return worked_problem(name, row, row.values["question"], _ANNOTATION.sub("", row.values["answer"]))
