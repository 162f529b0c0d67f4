"""Release completions in another form than in full: a dimension of defense like any policy."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import ClassVar

from distillgame.arena.stages.base import StageContext
from distillgame.arena.stages.inputs import TRACES, TracesStage
from distillgame.arena.stages.sampling.sample import SampleStage
from distillgame.arena.stages.writer import Author, make_writer
from distillgame.choices import NamedChoice
from distillgame.decoding import Request
from distillgame.errors import DistillgameError
from distillgame.policies.forms import Form, WrittenForm, make_form
from distillgame.records import Trace, read_traces, write_traces
from distillgame.seeding import derive_seed
from distillgame.tasks import Task
from distillgame.writers import Written

WRITING = "writing.json"
"""The file that says what it cost to have the released texts written: :class:`WritingCosts`."""


@dataclass(frozen=True)
class WritingCosts:
    """Costs of having texts written.

    Attributes:
        texts: Number of texts that were asked for.
        prompt_tokens: Number of tokens that the writer read.
        tokens: Number of tokens that it wrote.
        unfinished: How many texts did not end by themselves, so that they were not used.
    """

    texts: int
    prompt_tokens: int
    tokens: int
    unfinished: int

    @classmethod
    def of(cls, written: Sequence[Written]) -> "WritingCosts":
        """Return the costs of texts."""
        return cls(
            texts=len(written),
            prompt_tokens=sum(text.prompt_tokens for text in written),
            tokens=sum(text.tokens for text in written),
            unfinished=sum(text.finish_reason != "stop" for text in written),
        )

    @classmethod
    def read(cls, folder: Path) -> "WritingCosts | None":
        """Return the costs that a finished stage wrote down; None if nobody wrote for it."""
        path = folder / WRITING
        return cls(**json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None

    def write(self, path: Path) -> None:
        """Write them down."""
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")


class FormStage(TracesStage):
    """Traces in the form in which they are released, graded as they are released.

    What was measured while they were sampled stays: it is what producing them cost. A summary that the task's notation
    does not define is asked of the teacher itself, undefended, and its own sampling settings apply.

    Attributes:
        traces: The completions.
        form: The part of them that is released.
    """

    kind: ClassVar[str] = "form"
    revision: ClassVar[int] = 2

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
        form = self._form()
        traces = read_traces(context.folder(self.traces) / TRACES)
        released = []
        for trace, text in zip(traces, self._texts(context, form, task, traces), strict=True):
            grade = task.grade(text, known[trace.problem_id])
            messages = [*trace.messages[:-1], {"role": "assistant", "content": text}]
            # The form is a whole answer, even where the completion behind it was cut.
            released.append(
                replace(
                    trace, messages=messages, extracted=grade.extracted, correct=grade.correct, finish_reason="stop"
                )
            )
        write_traces(context.out / TRACES, released)

    def _form(self) -> Form:
        return make_form(self.form)

    def _author(self) -> Author:
        return self.traces.model

    def _texts(self, context: StageContext, form: Form, task: Task, traces: list[Trace]) -> list[str]:
        if not isinstance(form, WrittenForm):
            return [form.release(trace.completion, task) for trace in traces]
        written = self._defined(form, task, traces) or self._written(context, form, task, traces)
        return [form.choose(trace.completion, text, task) for trace, text in zip(traces, written, strict=True)]

    def _defined(self, form: WrittenForm, task: Task, traces: list[Trace]) -> list[str | None] | None:
        """Return the summaries that the task's notation defines; None if a model must write."""
        if form.writer is not None:
            return None
        defined = [task.summary(trace.completion) for trace in traces]
        return None if None in defined else defined

    def _written(self, context: StageContext, form: WrittenForm, task: Task, traces: list[Trace]) -> list[str | None]:
        """Return for each trace the text that will do, if there is one, and note what all texts cost."""
        writer = make_writer(self._author(), self.traces.sampling, context)
        params = self.traces.sampling.params().model_copy(update={"forced_answer_tokens": 0})
        asked = [form.ask(trace.messages[:-1], trace.completion, task) for trace in traces]
        accepted: list[str | None] = [None for _ in traces]
        every: list[Written] = []
        for place in range(form.tries):
            left = [i for i, text in enumerate(accepted) if text is None]
            requests = [Request(traces[i].problem_id, asked[i]) for i in left]
            seed = derive_seed(self.traces.seed, self.traces.draw, self.form.name, place)
            texts = writer.write(requests, params, seed, context.progress)
            for i, written in zip(left, texts, strict=True):
                if written.finish_reason == "stop" and form.accepts(traces[i].completion, written.text):
                    accepted[i] = written.text
            every += texts
        WritingCosts.of(every).write(context.out / WRITING)
        return accepted


class WrittenFormStage(FormStage):
    """Traces as another model writes them.

    Attributes:
        writer: The model.
        instruction: Its instruction, which may come from a file.
    """

    kind: ClassVar[str] = "written form"

    writer: Author
    instruction: str

    @property
    def tries(self) -> int:
        """Number of texts that are asked for per completion."""
        return self._form().tries

    @property
    def effort(self) -> float:
        """A sampling per text."""
        return float(self.tries)

    def _form(self) -> WrittenForm:
        form = make_form(self.form)
        assert isinstance(form, WrittenForm)
        if form.instruction != self.instruction:
            raise DistillgameError(f"form '{self.form.name}': its strategy changed meanwhile; start the game again")
        return form

    def _author(self) -> Author:
        return self.writer
