"""Forms of release of a completion: all of it, a summary, its beginning, or the answer alone."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from distillgame.choices import NamedChoice
from distillgame.errors import DistillgameError
from distillgame.registry import Registry
from distillgame.tasks import extract_answer


class Form(ABC):
    """A form of release.

    Attributes:
        needs_summary: Whether the teacher's own summary is needed.
    """

    needs_summary: bool = False

    @abstractmethod
    def release(self, completion: str, summary: str, final_answer: Callable[[str], str]) -> str:
        """Return the text that is released.

        Args:
            completion: The completion.
            summary: The teacher's summary of it, if needed.
            final_answer: Writes an answer as the task does.
        """


forms: Registry[Form] = Registry("form", "distillgame.forms")


def make_form(choice: NamedChoice) -> Form:
    """Make the form that ``choice`` names.

    Raises:
        DistillgameError: If the name or an option is not acceptable.
    """
    return forms.make(choice.name, choice.options)


@forms.register("full")
class FullForm(Form):
    """The completion as it was sampled."""

    def release(self, completion: str, summary: str, final_answer: Callable[[str], str]) -> str:
        """Return the completion."""
        return completion


@forms.register("summary")
class SummaryForm(Form):
    """The teacher's own summary, with the final answer of the completion."""

    needs_summary = True

    def release(self, completion: str, summary: str, final_answer: Callable[[str], str]) -> str:
        """Return the summary, followed by the completion's answer if the summary ends with another or none."""
        answer = extract_answer(completion)
        if answer is None or extract_answer(summary) == answer:
            return summary
        return f"{summary.rstrip()}\n{final_answer(answer)}"


@forms.register("answer_only")
class AnswerOnlyForm(Form):
    """The final answer alone; empty if there is none."""

    def release(self, completion: str, summary: str, final_answer: Callable[[str], str]) -> str:
        """Return the answer."""
        answer = extract_answer(completion)
        return "" if answer is None else final_answer(answer)


@forms.register("truncated")
@dataclass(frozen=True)
class TruncatedForm(Form):
    """The first ``share`` of the reasoning, by words, and then the final answer."""

    share: float

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise DistillgameError(f"form 'truncated': share must be above 0 and below 1 (found {self.share!r})")

    def release(self, completion: str, summary: str, final_answer: Callable[[str], str]) -> str:
        """Return the beginning and the answer."""
        words = completion.split(" ")
        start = " ".join(words[: math.ceil(self.share * len(words))])
        answer = extract_answer(completion)
        return start if answer is None else f"{start} {final_answer(answer)}"
