"""Let a judge read what was released, with controls among it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import ClassVar

from distillgame.arena.stages.base import Stage, StageContext
from distillgame.arena.stages.inputs import TRACES, TracesStage
from distillgame.arena.stages.model import Model
from distillgame.arena.stages.problems import ProblemSet
from distillgame.errors import DistillgameError
from distillgame.judges import (
    KINDS,
    REFERENCE,
    Exhibit,
    JudgeChoice,
    Judgement,
    Tools,
    anchors_of,
    blinded,
    judge_all,
    planted,
)
from distillgame.records import JudgedExhibit, MarkedStatement, Role, read_traces, write_judged
from distillgame.seeding import derive_seed

JUDGED = "judged.json"
"""The file that a stage of a judge leaves."""


def judged_exhibit(
    text: str,
    said: Judgement,
    role: Role,
    problem_id: str,
    defense: str | None = None,
    kind: str | None = None,
    correct: bool | None = None,
) -> JudgedExhibit:
    """Return the record of a judgement.

    Args:
        text: What was judged.
        said: The judgement.
        role: The part that it plays.
        problem_id: The problem it belongs to.
        defense: The defense that released it.
        kind: The kind of anchor.
        correct: Whether its answer is right.
    """
    return JudgedExhibit(
        role=role,
        defense=defense,
        kind=kind,
        problem_id=problem_id,
        correct=correct,
        characters=len(text),
        scores=dict(said.scores),
        reasons=dict(said.reasons),
        marks=[MarkedStatement(start=mark.start, end=mark.end, true=mark.true) for mark in said.marks],
        failure=said.failure,
        prompt_tokens=said.prompt_tokens,
        tokens=said.tokens,
    )


@dataclass(frozen=True)
class _Shown:
    """An exhibit, and what the judge is not told about it."""

    exhibit: Exhibit
    role: Role
    problem_id: str
    defense: str | None = None
    kind: str | None = None
    correct: bool | None = None

    def judged(self, said: Judgement) -> JudgedExhibit:
        """Return the record of a judgement."""
        return judged_exhibit(
            self.exhibit.text, said, self.role, self.problem_id, self.defense, self.kind, self.correct
        )


class JudgeStage(Stage):
    """The judgement of what several defenses released for the same problems.

    All exhibits stand in one random order under names that say nothing. Among them are anchors, whose order is known,
    and some traces once more, which show how far the judge agrees with itself.

    Attributes:
        judge: The judge.
        material: What it depends on beside its options.
        models: The models that it runs here, by its own names.
        problems: The problems.
        releases: What each defense released, one stage per defense; the first problems are judged.
        anchors: Number of problems from which anchors are made.
        repeats: Number of traces that are judged twice.
        seed: Seed of the order, the anchors and the judge.
    """

    kind: ClassVar[str] = "judge"
    revision: ClassVar[int] = 2

    judge: JudgeChoice
    material: str
    models: dict[str, Model]
    problems: ProblemSet
    releases: tuple[TracesStage, ...]
    anchors: int
    repeats: int
    seed: int

    @property
    def label(self) -> str:
        """The judge, and how much it reads."""
        return f"judge {len(self.releases)} releases by {self.judge.label}"

    @property
    def exhibits(self) -> int:
        """Number of exhibits, if every anchor can be made."""
        kinds = len(KINDS) + bool(self.judge.judge.injections)
        return len(self.releases) * self.problems.size + self.repeats + kinds * self.anchors

    def run(self, context: StageContext) -> None:
        """Write what the judge said."""
        judge = self.judge.judge
        if judge.material != self.material:
            raise DistillgameError(f"judge '{judge.name}': its file changed meanwhile; start again")
        shown = self._shown(context.folder)
        batch = blinded([each.exhibit for each in shown.values()], seed=self.seed)
        tools = Tools(
            seed=self.seed,
            models={name: partial(model.load, context.device) for name, model in self.models.items()},
            journal=None if context.journals is None else context.journals / f"{judge.name}.jsonl",
            progress=context.progress,
        )
        said = judge_all(judge, batch.exhibits, tools)
        found = {batch.originals[exhibit.id]: each for exhibit, each in zip(batch.exhibits, said, strict=True)}
        write_judged(context.out / JUDGED, [each.judged(found[name]) for name, each in shown.items()])

    def batch(self, folder: Callable[[Stage], Path]) -> tuple[Exhibit, ...]:
        """Return the exhibits, blinded, in the order in which they are judged.

        Args:
            folder: Finds the folder of a finished input.
        """
        return blinded([each.exhibit for each in self._shown(folder).values()], seed=self.seed).exhibits

    def _shown(self, folder: Callable[[Stage], Path]) -> dict[str, _Shown]:
        return {each.exhibit.id: each for each in [*self._traces(folder), *self._anchors()]}

    def _traces(self, folder: Callable[[Stage], Path]) -> Iterator[_Shown]:
        """Yield all traces, and then some of them once more, asked about in the other way."""
        questions = {problem.id: problem.question for problem in self.problems.load()}
        shuffled = sorted(questions, key=lambda problem: derive_seed(self.seed, "turn", problem))
        turns = {problem: turn for turn, problem in enumerate(shuffled)}
        shown = []
        for release in self.releases:
            for trace in read_traces(folder(release) / TRACES):
                if trace.problem_id in questions:
                    name, question = f"{release.defense}/{trace.problem_id}", questions[trace.problem_id]
                    exhibit = Exhibit(name, question, trace.completion, turns[trace.problem_id])
                    shown.append(_Shown(exhibit, "trace", trace.problem_id, release.defense, correct=trace.correct))
        yield from shown
        order = sorted(range(len(shown)), key=lambda i: derive_seed(self.seed, "repeat", shown[i].exhibit.id))
        for i in order[: self.repeats]:
            exhibit = shown[i].exhibit
            again = replace(exhibit, id=f"again/{exhibit.id}", turn=exhibit.turn + 1)
            yield replace(shown[i], exhibit=again, role="repeat")

    def _anchors(self) -> Iterator[_Shown]:
        """Yield anchors, and the good ones once more with a text that tries to talk to the judge."""
        task, injections = self.problems.task.task, self.judge.judge.injections
        made = anchors_of(self.problems.load(), task, self.seed, self.anchors)
        for anchor in made:
            yield _Shown(anchor.exhibit, "anchor", anchor.problem_id, kind=anchor.kind)
        good = [anchor for anchor in made if anchor.kind == REFERENCE]
        for i, anchor in enumerate(good if injections else []):
            text = planted(anchor.exhibit.text, injections[i % len(injections)], derive_seed(self.seed, "plant", i))
            exhibit = replace(anchor.exhibit, id=f"planted/{anchor.exhibit.id}", text=text)
            yield _Shown(exhibit, "injected", anchor.problem_id, kind=anchor.kind)
