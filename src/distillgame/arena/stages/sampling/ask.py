"""Ask a teacher about what a student gets wrong: one round of active querying."""

from typing import ClassVar

from distillgame.arena.stages.base import StageContext
from distillgame.arena.stages.inputs import TRACES, TracesStage
from distillgame.arena.stages.sampling.sample import SampleStage
from distillgame.records import read_traces
from distillgame.tasks import Problem


class AskStage(SampleStage):
    """A sample of the problems that a student, so far, gets wrong.

    Problems that were not asked before come first, wrong ones before right ones, each in the split's order; then those
    that were, likewise. The teacher answers a problem that is asked again by a draw of its own.

    Attributes:
        answers: The student's graded answers to the whole split.
        before: The rounds before, of which the first ``queries`` traces each were asked for.
        queries: How many problems are asked.
    """

    kind: ClassVar[str] = "ask"

    answers: TracesStage
    before: tuple[TracesStage, ...]
    queries: int

    @property
    def count(self) -> int:
        """Number of problems that are asked."""
        return self.queries

    @property
    def label(self) -> str:
        """The sample, and how many problems of it."""
        return f"{super().label} asking {self.queries} in round {self.draw + 1}"

    def asked(self, context: StageContext) -> list[Problem]:
        """Return the problems in the order in which they are wanted."""
        right = {trace.problem_id for trace in read_traces(context.folder(self.answers) / TRACES) if trace.correct}
        rounds = (read_traces(context.folder(stage) / TRACES)[: self.queries] for stage in self.before)
        known = {trace.problem_id for traces in rounds for trace in traces}
        problems = sorted(self.problems.load(), key=lambda problem: (problem.id in known, problem.id in right))
        return problems[: self.queries]
