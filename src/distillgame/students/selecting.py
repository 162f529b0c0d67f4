"""Students that use a part of what was released: right traces, answers, beginnings."""

import math
from dataclasses import dataclass, replace

from distillgame.models import Example
from distillgame.records import ReleasedTrace
from distillgame.students.base import Needs, Prepared, students
from distillgame.students.checks import require_share
from distillgame.students.lessons import Desk, Lesson
from distillgame.tasks import extract_answer


@students.register("verified")
@dataclass(frozen=True)
class Verified(Prepared):
    """Keeps the traces whose final answer checks out, where answers are public."""

    name = "verified"

    @property
    def needs(self) -> Needs:
        """Whether answers are right."""
        return Needs(verdicts=True)

    def prepare(self, desk: Desk) -> list[Lesson]:
        """The right traces."""
        pairs = zip(desk.supplies.traces, desk.supplies.verdicts, strict=True)
        right = [trace for trace, is_right in pairs if is_right]
        return desk.lessons(right)


@students.register("answer_only")
@dataclass(frozen=True)
class AnswerOnly(Prepared):
    """Trains on the final answers alone: what leaks without any reasoning."""

    name = "answer_only"

    def prepare(self, desk: Desk) -> list[Lesson]:
        """Each trace reduced to its final answer; those without one are dropped."""
        reduced = []
        for trace in desk.supplies.traces:
            answer = extract_answer(trace.messages[-1]["content"])
            if answer is not None:
                text = desk.supplies.final_answer(answer)
                reduced.append(ReleasedTrace([*trace.messages[:-1], {"role": "assistant", "content": text}]))
        return desk.lessons(reduced)


@students.register("truncated")
@dataclass(frozen=True)
class Truncated(Prepared):
    """Trains on the first ``share`` of each trace's tokens: a defense may work by how traces go on."""

    share: float
    name = "truncated"

    def __post_init__(self) -> None:
        require_share(self.name, "share", self.share)

    def prepare(self, desk: Desk) -> list[Lesson]:
        """The beginnings, which are not taught to end where they were cut."""
        return [
            replace(
                lesson,
                example=Example(
                    lesson.example.prompt,
                    lesson.example.target[: math.ceil(self.share * len(lesson.example.target))],
                ),
            )
            for lesson in super().prepare(desk)
        ]


@students.register("loss_masked")
@dataclass(frozen=True)
class LossMasked(Prepared):
    """Drops the ``share`` of all tokens that its own base model finds least likely: a defender may have forced those.

    A token that the teacher's reasoning needs may be as unlikely; this attack bets that forced ones are rarer still.
    """

    share: float
    name = "loss_masked"

    def __post_init__(self) -> None:
        require_share(self.name, "share", self.share)

    def prepare(self, desk: Desk) -> list[Lesson]:
        """All traces, without the least likely tokens; of each at least one stays."""
        lessons = super().prepare(desk)
        logprobs = desk.token_logprobs(lessons)
        every = sorted(float(value) for row in logprobs for value in row)
        bound = every[min(math.floor(self.share * len(every)), len(every) - 1)] if every else 0.0
        masked = []
        for lesson, row in zip(lessons, logprobs, strict=True):
            keep = [float(value) >= bound for value in row]
            if not any(keep):
                keep[int(row.argmax())] = True
            masked.append(replace(lesson, keep=tuple(keep)))
        return masked
