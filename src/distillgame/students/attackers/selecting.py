"""Students that train on a part of what was released: the most valuable traces, right ones, or some tokens."""

import math
from dataclasses import dataclass, replace

from distillgame.models import Example
from distillgame.records import ReleasedTrace
from distillgame.students.base import Editing, PreparedShare, require_at_least, students
from distillgame.students.lessons import Desk, Lesson
from distillgame.students.supplies import Needs
from distillgame.students.valuation import Value, Valuing, appraise, most_valuable
from distillgame.tasks import extract_answer


@students.register("filter")
@dataclass(frozen=True)
class Filter(Editing, Valuing, PreparedShare):
    """Trains on the most valuable ``share`` of the traces, valued once at the base model."""

    value: Value = "grad"
    name = "filter"

    def edited(self, desk: Desk) -> list[ReleasedTrace]:
        """Return the most valuable traces in their original order."""
        traces = [trace for trace in desk.supplies.traces if desk.lesson(trace) is not None]
        values = appraise(desk, desk.lessons(traces), self.value)
        kept = sorted(range(len(traces)), key=lambda i: -values[i])[: math.ceil(self.share * len(traces))]
        return [traces[i] for i in sorted(kept)]


@students.register("best_of_k")
@dataclass(frozen=True)
class BestOfK(Editing, Valuing):
    """Asks each prompt ``k`` times and keeps the most valuable trace; for equal queries it asks 1/k of the prompts."""

    k: int
    value: Value = "grad"
    name = "best_of_k"

    def __post_init__(self) -> None:
        require_at_least(self.name, "k", self.k, 2)

    @property
    def needs(self) -> Needs:
        """``k`` traces per prompt, and what their values take."""
        return replace(super().needs, draws=self.k)

    def edited(self, desk: Desk) -> list[ReleasedTrace]:
        """Return the most valuable trace of each prompt."""
        groups = list(zip(desk.supplies.traces, *desk.supplies.further, strict=True))
        return most_valuable(desk, groups, self.value)


@students.register("verified")
@dataclass(frozen=True)
class Verified(Editing):
    """Keeps the traces whose final answer is right, where answers are public."""

    name = "verified"

    @property
    def needs(self) -> Needs:
        """Verdicts on the final answers."""
        return Needs(verdicts=True)

    def edited(self, desk: Desk) -> list[ReleasedTrace]:
        """Return the traces with right answers."""
        pairs = zip(desk.supplies.traces, desk.supplies.verdicts, strict=True)
        return [trace for trace, is_right in pairs if is_right]


@students.register("answer_only")
@dataclass(frozen=True)
class AnswerOnly(Editing):
    """Trains on the final answers alone: the leakage without any reasoning."""

    name = "answer_only"

    def edited(self, desk: Desk) -> list[ReleasedTrace]:
        """Return each trace reduced to its final answer; traces without one are dropped."""
        reduced = []
        for trace in desk.supplies.traces:
            answer = extract_answer(trace.messages[-1]["content"])
            if answer is not None:
                text = desk.supplies.final_answer(answer)
                reduced.append(ReleasedTrace([*trace.messages[:-1], {"role": "assistant", "content": text}]))
        return reduced


@students.register("truncated")
@dataclass(frozen=True)
class Truncated(PreparedShare):
    """Trains on the first ``share`` of each trace's tokens, against defenses that act late in a trace."""

    name = "truncated"

    def prepare(self, desk: Desk) -> list[Lesson]:
        """Return the beginnings; the student is not taught to end where they were cut."""
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
class LossMasked(PreparedShare):
    """Drops the ``share`` of all tokens that its base model finds least likely: a defender may have forced those.

    A token that the teacher's reasoning needs may be just as unlikely; this attack bets that forced ones are rarer.
    """

    name = "loss_masked"

    def prepare(self, desk: Desk) -> list[Lesson]:
        """Return all traces without the least likely tokens; at least one token of each stays."""
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
