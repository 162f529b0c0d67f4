"""GSM8K: grade-school word problems with worked solutions (Cobbe et al., 2021)."""

import re
from typing import ClassVar

from distillgame.tables import TableRow
from distillgame.tasks.base import Problem, tasks
from distillgame.tasks.benchmarks.published import PublishedTask, worked_problem
from distillgame.tasks.benchmarks.sources import Columns, hub_rows

_ANNOTATION = re.compile(r"<<[^<>]*>>")


@tasks.register("gsm8k")
class Gsm8k(PublishedTask):
    """GSM8K in its published form, ``question`` and ``answer``; calculator annotations ``<<3+4=7>>`` are removed.

    Args:
        path: A local folder with ``train.jsonl`` and ``test.jsonl`` (or ``.parquet``), or a single such file;
            by default ``openai/gsm8k`` from the Hugging Face hub.
    """

    name = "gsm8k"
    columns: ClassVar[Columns] = {"question": (str,), "answer": (str,)}

    def hub_pools(self) -> dict[str, list[TableRow]]:
        """Load ``openai/gsm8k``."""
        return {pool: hub_rows("openai/gsm8k", "main", pool, self.columns) for pool in ("train", "test")}

    def problem(self, name: str, row: TableRow) -> Problem:
        """Return the problem in a row.

        Raises:
            DistillgameError: If the question is empty or the solution has no answer.
        """
        return worked_problem(name, row, row.values["question"], _ANNOTATION.sub("", row.values["answer"]))
