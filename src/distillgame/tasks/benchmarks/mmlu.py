"""MMLU: multiple-choice questions on many subjects (Hendrycks et al., 2021)."""

import re
from string import ascii_uppercase
from typing import ClassVar

from distillgame.errors import DistillgameError
from distillgame.tables import TableRow
from distillgame.tasks.base import Problem, tasks
from distillgame.tasks.benchmarks.published import PublishedTask
from distillgame.tasks.benchmarks.sources import Columns, hub_rows
from distillgame.tasks.grading import Grade, stated_answer

_HUB_POOLS = {"train": "auxiliary_train", "test": "test"}
_DRESS = re.compile(r"\\(?:text|textbf|mathrm|mathbf|mbox)\s*\{([^{}]*)\}|[*_`$]|\\[()\[\]]")
_LETTER = re.compile(r"(?:option|choice)?\s*(?:\(([A-Za-z])\)|([A-Za-z])(?=[.:)]|\s*$))[.:)\s]*(.*)", re.DOTALL | re.I)
_HEDGE = re.compile(r"(?i:\b(?:or|and)\b|,|/)\s*(?:\([A-Za-z]\)|[A-Z]\b)")


@tasks.register("mmlu")
class Mmlu(PublishedTask):
    """MMLU, asked with lettered choices and graded by letter or by the exact text of a choice.

    Args:
        path: A local folder with ``train.jsonl`` and ``test.jsonl`` or one of the two (or ``.parquet``), or a
            single such file, with the fields ``question``, ``choices``, ``answer`` (the right choice's index
            or letter) and optionally ``subject``; by default ``cais/mmlu`` from the Hugging Face hub, of
            which the auxiliary training questions are the train pool.
    """

    name = "mmlu"
    columns: ClassVar[Columns] = {"question": (str,), "choices": (list,), "answer": (int, str)}
    extras = ("subject",)

    def hub_pools(self) -> dict[str, list[TableRow]]:
        """Load ``cais/mmlu``; its auxiliary training questions are the train pool."""
        return {pool: hub_rows("cais/mmlu", "all", split, self.columns) for pool, split in _HUB_POOLS.items()}

    def problem(self, name: str, row: TableRow) -> Problem:
        """Return the problem in a row, with ``choices``, ``answer`` (a letter) and ``subject`` in its metadata.

        Raises:
            DistillgameError: If the choices are not 2 to 26 texts, or if the answer is not one of them.
        """
        question, choices, answer = (row.values[column] for column in ("question", "choices", "answer"))
        if not 2 <= len(choices) <= len(ascii_uppercase) or not all(isinstance(choice, str) for choice in choices):
            raise DistillgameError(f"{row.place}: field 'choices' must be a list of 2 to 26 texts")
        letters = ascii_uppercase[: len(choices)]
        by_index = isinstance(answer, int) and 0 <= answer < len(letters)
        letter = letters[answer] if by_index else str(answer).strip().upper()
        if len(letter) != 1 or letter not in letters:
            raise DistillgameError(
                f"{row.place}: field 'answer' is {answer!r}, but must be 0 to {len(letters) - 1} or a letter"
            )
        options = "\n".join(f"{mark}. {choice}" for mark, choice in zip(letters, choices, strict=True))
        text = f"{question.strip()}\n\n{options}\n\nAnswer with the letter of the right choice."
        metadata = {"choices": choices, "answer": letter, "subject": row.values.get("subject", "")}
        return Problem(name, text, f"The answer is {letter}.", metadata)

    def grade(self, completion: str, problem: Problem) -> Grade:
        """Grade the choice at the last marker; without one, the whole text or its last line if that is a choice."""
        choices: list[str] = problem.metadata["choices"]
        said = stated_answer(completion)
        lines = completion.strip().splitlines()
        for answer in (said,) if said else (completion.strip(), lines[-1] if lines else ""):
            letter = _letter(answer, choices)
            if letter:
                return Grade(letter == problem.metadata["answer"], letter)
        return Grade(False, said)


def _letter(answer: str, choices: list[str]) -> str | None:
    """Return the letter that ``answer`` chooses, by ``B``, ``(b)``, ``B. text`` or a choice's text."""
    plain = _DRESS.sub(r"\1", answer).strip()
    letters = ascii_uppercase[: len(choices)]
    texts = [_key(choice) for choice in choices]
    if texts.count(_key(plain)) == 1:
        return letters[texts.index(_key(plain))]
    match = _LETTER.match(plain)
    if match and not _HEDGE.search(match[3]):
        letter = (match[1] or match[2]).upper()
        if letter in letters:
            return letter
    first, _, rest = plain.partition(" ")
    if len(first) == 1 and first in letters and _key(rest) == texts[letters.index(first)]:
        return first
    return None


def _key(text: str) -> str:
    return " ".join(text.casefold().split()).rstrip(".")
