"""Right and wrong answers to the same problems with several seeds, and how two sets of them compare."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from distillgame.arena.stages import TRACES, TracesStage
from distillgame.arena.store import Store
from distillgame.errors import DistillgameError
from distillgame.records import ConfidenceInterval, Difference, Outcome, Trace, read_outcomes
from distillgame.stats import accuracy_interval, estimate, holm, relative_gain, standard_error

ALPHA = 0.05
"""A corrected p-value below this is called significant."""


@dataclass(frozen=True)
class Scores:
    """Graded answers to the same problems.

    Attributes:
        traces: One sequence per seed, in the order of the problems.
    """

    traces: Sequence[Sequence[Trace | Outcome]]

    @cached_property
    def correct(self) -> np.ndarray:
        """1 where an answer is right, shape (seeds, problems)."""
        return np.array([[trace.correct for trace in seed] for seed in self.traces], dtype=float)

    @cached_property
    def finished(self) -> np.ndarray:
        """True where a completion ended by itself, shape (seeds, problems)."""
        return np.array([[trace.finish_reason == "stop" for trace in seed] for seed in self.traces])

    def summary(self, seeds: Sequence[int]) -> dict[str, Any]:
        """Return the fields that rows of teachers and students share."""
        low, high = accuracy_interval(self.correct)
        return {
            "accuracy": float(self.correct.mean()),
            "standard_error": standard_error(self.correct),
            "interval": ConfidenceInterval(low=low, high=high),
            "n": self.correct.shape[1],
            "seeds": list(seeds),
            "accuracies": [float(value) for value in self.correct.mean(1)],
            "finish_rate": float(self.finished.mean()),
            "accuracy_if_finished": float(self.correct[self.finished].mean()) if self.finished.any() else None,
        }


def paired(first: Scores, second: Scores) -> tuple[np.ndarray, np.ndarray]:
    """Return the outcomes of both with the seeds that both were played with, shape (seeds, problems) each."""
    seeds = min(len(first.traces), len(second.traces))
    return first.correct[:seeds], second.correct[:seeds]


def differences(pairs: Sequence[tuple[Scores, Scores]], tried: int = 0) -> list[Difference]:
    """Return paired differences of accuracies, p-values corrected for the number of pairs (Holm).

    Args:
        pairs: Two sets of scores each, of the same problems with the same seeds in the same order.
        tried: For how many pairs p-values are corrected, if more were tried than are listed.
    """
    found = [estimate(ours - theirs) for ours, theirs in (paired(*pair) for pair in pairs)]
    corrected = holm([each.p_value for each in found], tried)
    result = []
    for pair, each, p_value in zip(pairs, found, corrected, strict=True):
        relative = relative_gain(*paired(*pair))
        result.append(
            Difference(
                value=each.value,
                standard_error=each.standard_error,
                interval=ConfidenceInterval(low=each.low, high=each.high),
                p_value=p_value,
                significant=p_value < ALPHA,
                relative=None if relative is None else relative[0],
                relative_interval=None if relative is None else ConfidenceInterval(low=relative[1], high=relative[2]),
            )
        )
    return result


class ScoreReader:
    """Reads scores out of a store, each stage once.

    Args:
        store: The finished stages.
    """

    def __init__(self, store: Store):
        self._store = store
        self._known: dict[TracesStage, list[Outcome]] = {}

    def read(self, stages: Sequence[TracesStage]) -> Scores:
        """Return the scores of stages that answer the same problems, one per seed.

        Raises:
            DistillgameError: If a stage is missing or corrupt, or they answered different problems.
        """
        for stage in stages:
            if stage not in self._known:
                self._known[stage] = read_outcomes(self._store.folder(stage) / TRACES)
        outcomes = [self._known[stage] for stage in stages]
        asked = [[outcome.problem_id for outcome in seed] for seed in outcomes]
        if any(ids != asked[0] for ids in asked):
            raise DistillgameError(f"stage '{stages[0].label}': seeds answered different problems")
        return Scores(outcomes)
