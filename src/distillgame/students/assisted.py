"""Students that put something of their own beside the released traces: public solutions, own samples, own words."""

import math
from dataclasses import dataclass
from itertools import cycle, islice

from distillgame.errors import DistillgameError
from distillgame.records import ReleasedTrace
from distillgame.students.base import Needs, Prepared, students
from distillgame.students.checks import require_share
from distillgame.students.lessons import Desk, Lesson, reweighed
from distillgame.tasks import extract_answer, grade


@students.register("mixed")
@dataclass(frozen=True)
class Mixed(Prepared):
    """Mixes public worked solutions into the released traces until they are ``share`` of what it trains on.

    Where there are fewer solutions than that takes, they are repeated.
    """

    share: float
    name = "mixed"

    def __post_init__(self) -> None:
        require_share(self.name, "share", self.share)

    @property
    def needs(self) -> Needs:
        """Public solutions."""
        return Needs(references=True)

    def prepare(self, desk: Desk) -> list[Lesson]:
        """The traces, then public solutions."""
        lessons, references = super().prepare(desk), desk.lessons(desk.supplies.references)
        if not references:
            raise DistillgameError("student 'mixed': there are no public solutions to mix in")
        wanted = math.ceil(self.share / (1 - self.share) * len(lessons))
        return [*lessons, *islice(cycle(references), wanted)]


@students.register("curriculum")
@dataclass(frozen=True)
class Curriculum(Prepared):
    """Weighs traces by p(1-p), p being how often the base model solves the problem itself.

    So problems count that are neither easy nor hopeless for it. p is estimated from ``k`` own completions with half a
    success and half a failure added, so that no weight is zero.
    """

    k: int = 4
    name = "curriculum"

    def __post_init__(self) -> None:
        if self.k < 1:
            raise DistillgameError(f"student 'curriculum': k must be at least 1 (found {self.k!r})")

    @property
    def needs(self) -> Needs:
        """Graded completions of its own, which takes public answers."""
        return Needs(verdicts=True, own_samples=self.k)

    def prepare(self, desk: Desk) -> list[Lesson]:
        """All traces, weighed."""
        weighed = []
        for trace, (right, tried) in zip(desk.supplies.traces, desk.supplies.pass_rates, strict=True):
            lesson = desk.lesson(trace)
            if lesson is not None:
                p = (right + 0.5) / (tried + 1)
                weighed += reweighed([lesson], [math.log(p * (1 - p))])
        return weighed


@students.register("reconstructed")
@dataclass(frozen=True)
class Reconstructed(Prepared):
    """Lets its own base model rewrite each trace, and trains on a rewriting that comes to the same answer.

    The first of ``k`` that does is taken; a trace of which none does stays as it was released.
    """

    k: int = 4
    name = "reconstructed"

    def __post_init__(self) -> None:
        if self.k < 1:
            raise DistillgameError(f"student 'reconstructed': k must be at least 1 (found {self.k!r})")

    @property
    def needs(self) -> Needs:
        """Rewritings by its base model."""
        return Needs(rewrites=self.k)

    def prepare(self, desk: Desk) -> list[Lesson]:
        """Rewritten traces."""
        chosen = []
        for trace, rewrites in zip(desk.supplies.traces, desk.supplies.rewrites, strict=True):
            answer = extract_answer(trace.messages[-1]["content"])
            same = (rewrite for rewrite in rewrites if _comes_to(answer, rewrite))
            chosen.append(next(same, trace))
        return desk.lessons(chosen)


def _comes_to(answer: str | None, rewrite: ReleasedTrace) -> bool:
    try:
        return answer is not None and grade(rewrite.messages[-1]["content"], answer).correct
    except DistillgameError:
        # What was extracted may be no answer (a marker at the end of a completion).
        return False
