"""Leakage in facts: those that each defense's traces release, and those that each student learnt."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from distillgame.arena.plan import GamePlan, PlannedRelease, PlannedStudent
from distillgame.arena.results.scores import Scores
from distillgame.arena.stages import TRACES, read_probes
from distillgame.arena.store import Store
from distillgame.records import ConfidenceInterval, FactCount, LearntFacts, ReleaseRow, read_released
from distillgame.stats import accuracy_interval
from distillgame.tasks import Knowledge, Problem

MOST = 0.5
"""A fact is learnt if more than this share of its forced probes show it."""


class FactReader:
    """Reads facts released and learnt out of a store.

    Args:
        plan: The game; its task may have no private facts.
        store: Its finished stages.
    """

    def __init__(self, plan: GamePlan, store: Store):
        self._plan, self._store = plan, store
        self._knowledge = plan.config.task.task.knowledge()
        self._problems: list[Problem] = [] if self._knowledge is None else plan.problems.load()

    def released(self) -> list[ReleaseRow]:
        """Return a row per defense and number of queries."""
        knowledge = self._knowledge
        return [] if knowledge is None else [self._release(planned, knowledge) for planned in self._plan.releases]

    def learnt(self, planned: PlannedStudent, scores: Scores) -> LearntFacts | None:
        """Return the facts that a student learnt, and its accuracy where it knows all it takes.

        Args:
            planned: The student.
            scores: Its answers to the reported problems.
        """
        if self._knowledge is None or not planned.probes:
            return None
        probed = [read_probes(self._store.folder(stage)) for stage in planned.probes]
        forced = [{fact for fact, share in seed["forced"].items() if share > MOST} for seed in probed]
        free = [{fact for fact, share in seed["free"].items() if share > MOST} for seed in probed]
        needed = [self._knowledge.needed(problem.question) for problem in self._problems]
        known = np.array([[facts <= seed for facts in needed] for seed in forced])
        return LearntFacts(
            free=count(free, self._knowledge),
            forced=count(forced, self._knowledge),
            knowledge=float(known.mean()),
            accuracy_if_known=_mean(scores.correct[known]),
            accuracy_if_unknown=_mean(scores.correct[~known]),
        )

    def _release(self, planned: PlannedRelease, knowledge: Knowledge) -> ReleaseRow:
        found = []
        for stage in planned.traces:
            traces = read_released(self._store.folder(stage) / TRACES)[: planned.queries]
            found.append(knowledge.released(trace.messages[-1]["content"] for trace in traces))
        ever = frozenset[str]().union(*(seed.derivable for seed in found))
        return ReleaseRow(
            defense=planned.target.label,
            queries=planned.queries,
            facts=len(knowledge.kinds),
            kinds=knowledge.by_kind(),
            stated=count([seed.stated for seed in found], knowledge),
            derivable=count([seed.derivable for seed in found], knowledge),
            hidden=[fact for fact in knowledge.kinds if fact not in ever],
        )


def count(seeds: Sequence[Iterable[str]], knowledge: Knowledge) -> FactCount:
    """Return how many facts each seed found, as a mean with its interval over facts and seeds."""
    sets = [set(seed) for seed in seeds]
    table = np.array([[fact in found for fact in knowledge.kinds] for found in sets], dtype=float)
    low, high = (end * table.shape[1] for end in accuracy_interval(table))
    return FactCount(
        mean=float(table.sum(1).mean()),
        interval=ConfidenceInterval(low=low, high=high),
        by_kind=_mean_counts([knowledge.by_kind(found) for found in sets]),
    )


def _mean_counts(counts: Sequence[Mapping[str, int]]) -> dict[str, float]:
    return {kind: float(np.mean([seed[kind] for seed in counts])) for kind in counts[0]}


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if values.size else None
