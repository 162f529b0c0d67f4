"""The rows of teachers: each defense's utility and cost, and how far it is from the undefended teacher."""

from collections.abc import Mapping, Sequence

import numpy as np

from distillgame.arena.plan import STANDARD, PlannedTeacher
from distillgame.arena.results.scores import ScoreReader, Scores, differences
from distillgame.arena.stages import TRACES, WritingCosts
from distillgame.arena.store import Store
from distillgame.policies.forms import WrittenForm, make_form
from distillgame.records import MedianRange, TeacherRow, read_traces
from distillgame.stats import standard_error

Costs = Mapping[str, Mapping[str, float]]
"""Median, lowest and highest time cost, by policy."""


def teacher_rows(
    teachers: Sequence[PlannedTeacher], seeds: Sequence[int], store: Store, reader: ScoreReader, costs: Costs
) -> list[TeacherRow]:
    """Return the rows of defenses; p-values against the undefended teacher are corrected for their number."""
    scores = {teacher.defense.label: reader.read(teacher.releases) for teacher in teachers}
    others = [label for label in scores if label != STANDARD.label and STANDARD.label in scores]
    found = differences([(scores[label], scores[STANDARD.label]) for label in others])
    over = dict(zip(others, found, strict=True))
    rows = []
    for teacher in teachers:
        row = teacher_row(teacher, seeds, store, costs)
        rows.append(row.model_copy(update={"over_standard": over.get(teacher.defense.label)}))
    return rows


def teacher_row(teacher: PlannedTeacher, seeds: Sequence[int], store: Store, costs: Costs) -> TeacherRow:
    """Return the row of one defense, compared with nothing yet."""
    defense, policy = teacher.defense, teacher.defense.policy
    # A text that a model writes is a second completion, whose time was not measured.
    cost = None if isinstance(make_form(defense.form), WrittenForm) else costs.get(defense.without_form.label)
    traces = [read_traces(store.folder(stage) / TRACES) for stage in teacher.releases]
    every = [trace for seed in traces for trace in seed]
    kl = [[trace.kl for trace in seed] for seed in traces]
    measured = None if any(value is None for seed in kl for value in seed) else np.array(kl, dtype=float)
    found = [WritingCosts.read(store.folder(stage)) for stage in teacher.releases]
    written = [costs for costs in found if costs is not None]
    return TeacherRow(
        defense=defense.label,
        policy=policy.name,
        strength=dict(policy.parameters),
        proxies=dict(policy.proxy_weights) if policy.uses_proxies else {},
        combine=policy.combine if len(policy.proxies) > 1 else None,
        form=defense.form.label,
        control=policy.control,
        over_standard=None,
        kl_per_trace=None if measured is None else float(measured.mean()),
        kl_standard_error=None if measured is None else standard_error(measured),
        time_cost=None if cost is None else cost["median"],
        time_cost_range=None if cost is None else MedianRange(**cost),
        mean_tokens=float(np.mean([trace.sampled_tokens for trace in every])),
        released_characters=float(np.mean([len(trace.completion) for trace in every])),
        written_tokens=None if not written else sum(costs.tokens for costs in written) / len(every),
        **Scores(traces).summary(seeds),
    )
