"""MMLU: multiple-choice questions on many subjects (Hendrycks et al., 2021)."""

import re
from string import ascii_uppercase

from distillgame.errors import DistillgameError
from distillgame.tasks.base import Problem, Task, tasks
from distillgame.tasks.extraction import stated_answer
from distillgame.tasks.files import Columns, Row, hub_rows, read_pools
from distillgame.tasks.grading import Grade

_COLUMNS: Columns = {"question": (str,), "choices": (list,), "answer": (int, str)}
_HUB_POOLS = {"train": "auxiliary_train", "test": "test"}
_DRESS = re.compile(r"\\(?:text|textbf|mathrm|mathbf|mbox)\s*\{([^{}]*)\}|[*_`$]|\\[()\[\]]")
_LETTER = re.compile(r"(?:option|choice)?\s*(?:\(([A-Za-z])\)|([A-Za-z])(?=[.:)]|\s*$))[.:)\s]*(.*)", re.DOTALL | re.I)
_HEDGE = re.compile(r"(?i:\b(?:or|and)\b|,|/)\s*(?:\([A-Za-z]\)|[A-Z]\b)")


@tasks.register("mmlu")
class Mmlu(Task):
    """MMLU, asked with lettered choices and graded by letter or by the exact text of a choice.

    Args:
        path: A local folder with ``train.jsonl`` and ``test.jsonl`` or one of the two (or ``.parquet``), or a
            single such file, with the fields ``question``, ``choices``, ``answer`` (the right choice's index
            or letter) and optionally ``subject``; by default ``cais/mmlu`` from the Hugging Face hub, of
            which the auxiliary training questions are the train pool.
    """

    def __init__(self, path: str | None = None):
        self.path = path

    def pools(self) -> dict[str, list[Problem]]:
        """Return the published splits; ``choices``, ``answer`` (a letter) and ``subject`` are metadata.

        Raises:
            DistillgameError: If they cannot be read, or if a row's answer is not among its choices.
        """
        if self.path is None:
            rows = {pool: hub_rows("cais/mmlu", "all", split, _COLUMNS) for pool, split in _HUB_POOLS.items()}
        else:
            rows = read_pools(self.path, _COLUMNS)
        return {
            pool: [_problem(f"mmlu/{pool}/{index}", row) for index, row in enumerate(found)]
            for pool, found in rows.items()
        }

    def grade(self, completion: str, problem: Problem) -> Grade:
        """Grade the choice at the last marker, or else the one that the whole text or its last line is."""
        choices: list[str] = problem.metadata["choices"]
        said = stated_answer(completion)
        lines = completion.strip().splitlines()
        for answer in (said,) if said else (completion.strip(), lines[-1] if lines else ""):
            letter = _letter(answer, choices)
            if letter:
                return Grade(letter == problem.metadata["answer"], letter)
        return Grade(False, said)


def _problem(name: str, row: Row) -> Problem:
    question, choices, answer = (row.values[column] for column in ("question", "choices", "answer"))
    if not 2 <= len(choices) <= len(ascii_uppercase) or not all(isinstance(choice, str) for choice in choices):
        raise DistillgameError(f"{row.place}: field 'choices' must be a list of 2 to 26 texts")
    letters = ascii_uppercase[: len(choices)]
    letter = letters[answer] if isinstance(answer, int) and 0 <= answer < len(letters) else str(answer).strip().upper()
    if len(letter) != 1 or letter not in letters:
        raise DistillgameError(
            f"{row.place}: field 'answer' is {answer!r}, but must be 0 to {len(letters) - 1} or a letter"
        )
    options = "\n".join(f"{mark}. {choice}" for mark, choice in zip(letters, choices, strict=True))
    text = f"{question.strip()}\n\n{options}\n\nAnswer with the letter of the right choice."
    metadata = {"choices": choices, "answer": letter, "subject": row.values.get("subject", "")}
    return Problem(name, text, f"The answer is {letter}.", metadata)


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
