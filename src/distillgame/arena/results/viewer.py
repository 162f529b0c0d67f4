"""The traces of a game as the page shows them."""

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

from distillgame.arena.plan import VIEWED, GamePlan, PlannedTeacher
from distillgame.arena.stages import JUDGED, TRACES, read_values
from distillgame.arena.store import Store
from distillgame.models import load_tokenizer
from distillgame.policies import Defense
from distillgame.records import (
    JudgedExhibit,
    Trace,
    ViewedFact,
    ViewedJudgement,
    ViewedProblem,
    ViewedTrace,
    read_judged,
    read_traces,
)
from distillgame.tasks import Knowledge

Judged = dict[tuple[str | None, str], list[tuple[str, JudgedExhibit]]]
"""What judges, by label, say about the traces of each defense and problem."""


def view(plan: GamePlan, store: Store) -> list[ViewedProblem]:
    """Return the first problems of the reported split as each defense released them, with the first seed."""
    # Loaded once, and only where a trace is shown token by token: given traces come without their teacher.
    tokenizer = cache(partial(load_tokenizer, plan.config.teacher))
    knowledge = plan.config.task.task.knowledge()
    judged = _judged(plan, store)
    columns = [_column(teacher, tokenizer, store, knowledge, judged) for teacher in plan.teachers]
    return [
        ViewedProblem(
            id=problem.id,
            question=problem.question,
            reference=problem.solution,
            traces=[column[i] for column in columns],
        )
        for i, problem in enumerate(plan.problems.load()[:VIEWED])
    ]


def _judged(plan: GamePlan, store: Store) -> Judged:
    """Return what every judge says about a trace, by defense and problem."""
    found: Judged = {}
    for stage in plan.judged:
        for exhibit in read_judged(store.folder(stage) / JUDGED):
            if exhibit.role == "trace":
                found.setdefault((exhibit.defense, exhibit.problem_id), []).append((stage.judge.label, exhibit))
    return found


def _column(
    teacher: PlannedTeacher,
    tokenizer: Callable[[], Any],
    store: Store,
    knowledge: Knowledge | None,
    judged: Judged,
) -> list[ViewedTrace]:
    traces = read_traces(store.folder(teacher.releases[0]) / TRACES)[:VIEWED]
    values = [trace.v_gap for trace in traces]
    if teacher.values is not None:
        values = read_values(store.folder(teacher.values))
    viewed = zip(traces, values, strict=True)
    found = [
        _viewed(teacher.defense, tokenizer, trace, value).model_copy(
            update=_opinions(judged.get((teacher.defense.label, trace.problem_id), []))
        )
        for trace, value in viewed
    ]
    if knowledge is None:
        return found
    return [trace.model_copy(update={"facts": _facts(knowledge, "".join(trace.pieces))}) for trace in found]


def _opinions(judged: list[tuple[str, JudgedExhibit]]) -> dict[str, Any]:
    """Return the fields of a viewed trace that judges fill."""
    said = [
        ViewedJudgement(judge=judge, scores=each.scores, reasons=each.reasons, failure=each.failure)
        for judge, each in judged
    ]
    return {"judgements": said, "statements": next((each.marks for _, each in judged if each.marks), [])}


def _facts(knowledge: Knowledge, text: str) -> list[ViewedFact]:
    return [
        ViewedFact(
            name=claim.fact,
            kind=("stated" if claim.stated else "derivable") if claim.true else "false",
            start=claim.span[0],
            end=claim.span[1],
        )
        for claim in knowledge.claims(text)
    ]


def _viewed(defense: Defense, tokenizer: Callable[[], Any], trace: Trace, value: float | None) -> ViewedTrace:
    pieces, kl = [trace.completion], []
    if defense.form.name == "full" and trace.token_kl is not None:
        decoded = _pieces(tokenizer(), trace.token_ids)
        # The sampled tokens may be followed by a forced answer, on which nothing was measured.
        rest = trace.completion[len("".join(decoded)) :]
        if trace.completion.startswith("".join(decoded)):
            pieces, kl = [*decoded, *([rest] if rest else [])], [float(value) for value in trace.token_kl]
    return ViewedTrace(
        defense=defense.label,
        pieces=pieces,
        kl=kl,
        value=value,
        total_kl=trace.kl,
        answer=trace.extracted,
        correct=trace.correct,
        finish_reason=trace.finish_reason,
    )


def _pieces(tokenizer: Any, tokens: Sequence[int]) -> list[str]:
    """Return the text that each token adds, by decoding ever longer beginnings."""
    texts = [tokenizer.decode(tokens[: i + 1], skip_special_tokens=True) for i in range(len(tokens))]
    # A character that ends in a later token is withheld until then.
    whole = [text if not text.endswith("\ufffd") else text.rstrip("\ufffd") for text in texts]
    return [after[len(before) :] for before, after in zip(["", *whole], whole, strict=False)]
