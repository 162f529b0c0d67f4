"""The traces of a game as the page shows them."""

from collections.abc import Sequence

from distillgame.arena.plan.planner import Planner
from distillgame.arena.run.store import Store
from distillgame.arena.stages import TRACES, ValueStage, read_values
from distillgame.models import load_tokenizer
from distillgame.policies import Defense, make_policy
from distillgame.records import Trace, ViewedProblem, ViewedTrace, read_traces

VIEWED = 24
"""Problems in the page's viewer."""


def value_stage(planner: Planner, defense: Defense, split: str) -> ValueStage | None:
    """What measures the value of the viewed traces of a policy that evaluates no proxy, if the game has one."""
    made = make_policy(defense.name, defense.options)
    name = next(iter(planner.config.all_proxies), None)
    if made.uses_proxies or name is None:
        return None
    traces = planner.sample(defense, split, planner.config.seeds[0])
    return ValueStage(traces=traces, proxy=planner.proxy(name), count=min(VIEWED, traces.problems.size))


def view(planner: Planner, store: Store, defenses: Sequence[Defense], split: str = "test") -> list[ViewedProblem]:
    """The first problems of a split as each defense released them, with the first seed."""
    problems = planner.problems(split).load()[:VIEWED]
    columns = []
    for defense in defenses:
        traces = read_traces(store.folder(planner.release(defense, split, planner.config.seeds[0])) / TRACES)[:VIEWED]
        measured = value_stage(planner, defense, split)
        values = [trace.v_gap for trace in traces] if measured is None else read_values(store.folder(measured))
        viewed = zip(traces, values, strict=True)
        columns.append([_viewed(planner, defense, trace, value) for trace, value in viewed])
    return [
        ViewedProblem(
            id=problem.id,
            question=problem.question,
            reference=problem.solution,
            traces=[column[i] for column in columns],
        )
        for i, problem in enumerate(problems)
    ]


def _viewed(planner: Planner, defense: Defense, trace: Trace, value: float | None) -> ViewedTrace:
    pieces, kl = [trace.completion], []
    if defense.form.name == "full" and trace.token_kl is not None:
        decoded = _pieces(planner, trace.token_ids)
        # What follows the sampled tokens is a forced answer, which nothing was measured on.
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


def _pieces(planner: Planner, tokens: Sequence[int]) -> list[str]:
    """The text that each token adds, by decoding ever longer beginnings."""
    tokenizer = load_tokenizer(planner.config.teacher)
    texts = [tokenizer.decode(tokens[: i + 1], skip_special_tokens=True) for i in range(len(tokens))]
    # A character that ends in a later token is withheld until then.
    whole = [text if not text.endswith("\ufffd") else text.rstrip("\ufffd") for text in texts]
    return [after[len(before) :] for before, after in zip(["", *whole], whole, strict=False)]
