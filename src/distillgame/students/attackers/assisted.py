"""Students that add something of their own to the released traces: public solutions, own samples, own rewritings."""

import math
from dataclasses import dataclass
from itertools import cycle, islice

from distillgame.errors import DistillgameError
from distillgame.records import ReleasedTrace
from distillgame.students.base import Editing, Prepared, PreparedShare, require_at_least, students
from distillgame.students.lessons import Desk, Lesson, reweighed
from distillgame.students.supplies import Needs
from distillgame.tasks import extract_answer, same_answer


@students.register("mixed")
@dataclass(frozen=True)
class Mixed(PreparedShare):
    """Mixes public worked solutions into the released traces until they make up ``share`` of the training set.

    If there are too few solutions, they are repeated.
    """

    name = "mixed"

    @property
    def needs(self) -> Needs:
        """Public solutions."""
        return Needs(references=True)

    def prepare(self, desk: Desk) -> list[Lesson]:
        """Return the traces, then public solutions."""
        lessons, references = super().prepare(desk), desk.lessons(desk.supplies.references)
        if not references:
            raise DistillgameError("student 'mixed': there are no public solutions to mix in")
        wanted = math.ceil(self.share / (1 - self.share) * len(lessons))
        return [*lessons, *islice(cycle(references), wanted)]


@students.register("curriculum")
@dataclass(frozen=True)
class Curriculum(Prepared):
    """Weighs traces by p(1-p), where p is the rate at which the base model solves the problem itself.

    Problems that are neither easy nor hopeless for it thus count most. p is estimated from ``k`` own completions with
    half a success and half a failure added, so that no weight is zero.
    """

    k: int = 4
    name = "curriculum"

    def __post_init__(self) -> None:
        require_at_least(self.name, "k", self.k, 1)

    @property
    def needs(self) -> Needs:
        """Graded completions of its own; grading them takes public answers."""
        return Needs(verdicts=True, own_samples=self.k)

    def prepare(self, desk: Desk) -> list[Lesson]:
        """Return all traces, weighed."""
        weighed = []
        for trace, (right, tried) in zip(desk.supplies.traces, desk.supplies.pass_rates, strict=True):
            lesson = desk.lesson(trace)
            if lesson is not None:
                p = (right + 0.5) / (tried + 1)
                weighed += reweighed([lesson], [math.log(p * (1 - p))])
        return weighed


@students.register("reconstructed")
@dataclass(frozen=True)
class Reconstructed(Editing):
    """Lets its own base model rewrite each trace, and trains on a rewriting that reaches the same answer.

    The first such rewriting of ``k`` is taken; if none reaches the same answer, the trace stays as released.
    """

    k: int = 4
    name = "reconstructed"

    def __post_init__(self) -> None:
        require_at_least(self.name, "k", self.k, 1)

    @property
    def needs(self) -> Needs:
        """Rewritings by its base model."""
        return Needs(rewrites=self.k)

    def edited(self, desk: Desk) -> list[ReleasedTrace]:
        """Return the traces, rewritten where possible."""
        return _rewritten(desk)


@students.register("paraphrased")
@dataclass(frozen=True)
class Paraphrased(Editing):
    """Lets a third model rewrite each trace, and trains on a rewriting that reaches the same answer.

    The model is the game's ``attacker.paraphraser``. Otherwise it is as ``reconstructed``.
    """

    k: int = 1
    name = "paraphrased"

    def __post_init__(self) -> None:
        require_at_least(self.name, "k", self.k, 1)

    @property
    def needs(self) -> Needs:
        """Rewritings by a third model."""
        return Needs(rewrites=self.k, paraphraser=True)

    def edited(self, desk: Desk) -> list[ReleasedTrace]:
        """Return the traces, rewritten where possible."""
        return _rewritten(desk)


def _rewritten(desk: Desk) -> list[ReleasedTrace]:
    """Return for each trace the first rewriting that comes to the same, or the trace itself."""
    chosen = []
    for trace, rewrites in zip(desk.supplies.traces, desk.supplies.rewrites, strict=True):
        same = (rewrite for rewrite in rewrites if comes_to_same(trace, rewrite))
        chosen.append(next(same, trace))
    return chosen


def comes_to_same(trace: ReleasedTrace, rewrite: ReleasedTrace) -> bool:
    """Return whether a rewriting of a trace comes to the same answer; False if the trace has none."""
    answer = extract_answer(trace.messages[-1]["content"])
    return answer is not None and same_answer(rewrite.messages[-1]["content"], answer)
