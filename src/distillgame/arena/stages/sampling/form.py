"""Release completions in another form than in full: a dimension of defense like any policy."""

from dataclasses import replace
from typing import ClassVar

from distillgame.arena.stages.base import StageContext
from distillgame.arena.stages.inputs import TRACES, TracesStage
from distillgame.arena.stages.sampling.sample import SampleStage
from distillgame.choices import NamedChoice
from distillgame.decoding import Engine, Request
from distillgame.policies import make_policy
from distillgame.policies.forms import make_form
from distillgame.records import Trace, read_traces, write_traces
from distillgame.seeding import derive_seed
from distillgame.tasks import Problem, Task


class FormStage(TracesStage):
    """Traces in the form in which they are released, graded as they are released.

    What was measured while they were sampled stays: it is what producing them cost. A summary that the task's notation
    does not define is asked of the teacher itself, undefended, and its own sampling settings apply.

    Attributes:
        traces: The completions.
        form: The part of them that is released.
    """

    kind: ClassVar[str] = "form"

    traces: SampleStage
    form: NamedChoice

    @property
    def label(self) -> str:
        """The form, and the completions."""
        return f"release {self.form.label} of {self.traces.label.removeprefix('sample ')}"

    @property
    def defense(self) -> str:
        """The policy and the form."""
        return f"{self.traces.defense} form={self.form.label.replace(' ', ',')}"

    @property
    def count(self) -> int:
        """Number of completions."""
        return self.traces.count

    def run(self, context: StageContext) -> None:
        """Write the traces."""
        task, known = self.traces.problems.task.task, {p.id: p for p in self.traces.problems.load()}
        form = make_form(self.form)
        traces = read_traces(context.folder(self.traces) / TRACES)
        problems = [known[trace.problem_id] for trace in traces]
        summaries = self._summaries(context, task, problems, traces) if form.needs_summary else [""] * len(traces)
        released = []
        for problem, trace, summary in zip(problems, traces, summaries, strict=True):
            text = form.release(trace.completion, summary, task.final_answer)
            grade = task.grade(text, problem)
            messages = [*trace.messages[:-1], {"role": "assistant", "content": text}]
            # The form is a whole answer, even where the completion behind it was cut.
            released.append(
                replace(
                    trace, messages=messages, extracted=grade.extracted, correct=grade.correct, finish_reason="stop"
                )
            )
        write_traces(context.out / TRACES, released)

    def _summaries(self, context: StageContext, task: Task, problems: list[Problem], traces: list[Trace]) -> list[str]:
        defined = [task.summary(trace.completion) for trace in traces]
        if all(summary is not None for summary in defined):
            return [summary or "" for summary in defined]
        engine = Engine(
            self.traces.model.load(context.device),
            make_policy("standard", {}),
            batch_size=self.traces.sampling.batch_size,
            token_budget=self.traces.sampling.token_budget,
        )
        requests = [
            Request(problem.id, task.summarising(trace.messages[:-1], trace.completion))
            for problem, trace in zip(problems, traces, strict=True)
        ]
        seed = derive_seed(self.traces.seed, self.traces.draw, "summary")
        params = self.traces.sampling.params().model_copy(update={"forced_answer_tokens": 0})
        return [sample.completion for sample in engine.generate(requests, params, seed)]
