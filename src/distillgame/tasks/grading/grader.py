r"""Grade a completion against a gold solution.

The answer is extracted by :mod:`~distillgame.tasks.grading.extraction` (the last explicit marker wins), read by
:mod:`~distillgame.tasks.grading.structure` and compared by :mod:`~distillgame.tasks.grading.agreement`. Numbers are
exact: ``0.5`` is ``1/2``, ``0.33`` is not ``1/3``. Only expressions need math-verify, which runs in a worker process
with a time limit.
"""

from dataclasses import dataclass
from functools import lru_cache

from distillgame.errors import DistillgameError
from distillgame.tasks.grading.agreement import Matcher
from distillgame.tasks.grading.extraction import extract_answer, gold_answers
from distillgame.tasks.grading.nodes import Node
from distillgame.tasks.grading.structure import read
from distillgame.tasks.sandbox import CallFailedError, OverLimitError, sandbox

TIME_LIMIT = 5.0
"""Seconds of computer algebra that grading one completion may take."""


@dataclass(frozen=True)
class Grade:
    """The grade of one completion.

    Attributes:
        correct: Whether the answer is right.
        extracted: The answer as the completion writes it (with plain dashes, digits and blanks, without emphasis), or
            ``None`` if there is none.
        timed_out: Whether the comparison hit its limit of time or memory, which counts as wrong.
    """

    correct: bool
    extracted: str | None
    timed_out: bool = False


def grade(completion: str, solution: str, *, time_limit: float = TIME_LIMIT) -> Grade:
    r"""Grade the answer at the end of ``completion``.

    Args:
        completion: The model's output, of any length and content.
        solution: A worked solution that ends in ``#### 18`` or has its answer in ``\boxed{}``, or a bare
            answer.
        time_limit: Seconds of computer algebra after which the comparison is abandoned.

    Returns:
        The grade; no completion makes this raise.

    Raises:
        DistillgameError: If ``solution`` has no answer, or if the grading worker cannot be started.
    """
    golds, percent = _gold(solution)
    answer = extract_answer(completion)
    if answer is None:
        return Grade(False, None)
    algebra = _RemoteAlgebra(time_limit)
    matcher = Matcher(algebra, percent)
    node = read(answer)
    try:
        correct = any(matcher.agree(gold, node) for gold in golds)
    except OverLimitError:
        return Grade(False, answer, timed_out=True)
    return Grade(correct, answer)


def same_answer(text: str, answer: str) -> bool:
    """Return whether a text comes to an answer; False if what is called an answer is none."""
    try:
        return grade(text, answer).correct
    except DistillgameError:
        # Extracted text may not be an answer: a marker at the end of a completion.
        return False


@lru_cache(maxsize=2**14)
def _gold(solution: str) -> tuple[tuple[Node, ...], bool]:
    answers = gold_answers(solution)
    if not answers:
        raise DistillgameError(rf"a solution has no answer (\boxed{{...}} or #### ...): {solution[-80:]!r}")
    # GSM8K's answers are bare numbers whatever they count, so that 20 may stand for 20%.
    percent = "####" in solution or "%" in solution or "percent" in solution
    return tuple(read(answer) for answer in answers), percent


class _RemoteAlgebra:
    """Computer algebra in a worker; all comparisons for one completion share one time limit."""

    def __init__(self, limit: float):
        self._left = limit

    def equal(self, gold: str, answer: str) -> bool:
        return bool(self._ask("equal", gold, answer))

    def proportion(self, gold: str, answer: str) -> int:
        return int(self._ask("proportion", gold, answer))

    def _ask(self, name: str, gold: str, answer: str) -> bool | int:
        if self._left <= 0:
            raise OverLimitError
        try:
            reply = sandbox.call(f"distillgame.tasks.grading.symbolic:{name}", gold, answer, limit=self._left)
        except CallFailedError:
            return False
        self._left -= reply.seconds
        value: bool | int = reply.value
        return value
