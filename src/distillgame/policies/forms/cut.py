"""Forms that release a part of a completion: all of it, its beginning, or the answer alone."""

import math
from dataclasses import dataclass

from distillgame.errors import DistillgameError
from distillgame.policies.forms.base import Form, forms
from distillgame.tasks import Notation, extract_answer


@forms.register("full")
class FullForm(Form):
    """The completion as it was sampled."""

    whole = True

    def release(self, completion: str, notation: Notation) -> str:
        """Return the completion."""
        return completion


@forms.register("answer_only")
class AnswerOnlyForm(Form):
    """The final answer alone; empty if there is none."""

    def release(self, completion: str, notation: Notation) -> str:
        """Return the answer."""
        return answer_alone(completion, notation)


@forms.register("truncated")
@dataclass(frozen=True)
class TruncatedForm(Form):
    """The first ``share`` of the reasoning, by words, and then the final answer."""

    share: float

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise DistillgameError(f"form 'truncated': share must be above 0 and below 1 (found {self.share!r})")

    def release(self, completion: str, notation: Notation) -> str:
        """Return the beginning and the answer."""
        words = completion.split(" ")
        start = " ".join(words[: math.ceil(self.share * len(words))])
        answer = extract_answer(completion)
        return start if answer is None else f"{start} {notation.final_answer(answer)}"


def answer_alone(completion: str, notation: Notation) -> str:
    """Return the final answer of a completion; empty if there is none."""
    answer = extract_answer(completion)
    return "" if answer is None else notation.final_answer(answer)
