"""A check of the ledger's units: does a trace's value or its KL tell how many private facts the trace releases?"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import atanh, sqrt, tanh
from pathlib import Path

from distillgame.records import read_charges
from distillgame.tasks import Knowledge

NORMAL = 1.96
"""Half the width of a 95% interval, in standard errors."""

RANKS = 1.03
"""Standard error of Fisher's z of rank correlations, times the root of n - 3 (Fieller, Hartley and Pearson, 1957)."""


@dataclass(frozen=True)
class Predictor:
    """A measurement of traces, and how well its order is that of the facts which the traces release.

    Attributes:
        name: ``v_gap`` or ``kl``.
        correlation: Spearman's rank correlation with the number of private facts rightly stated or derivable.
        low: Lower end of its 95% interval.
        high: Upper end.
        traces: Number of traces that have the measurement.
    """

    name: str
    correlation: float
    low: float
    high: float
    traces: int


def predictors(path: Path, knowledge: Knowledge) -> list[Predictor]:
    """Return the measurements of a trace file as predictors of facts; those that vary on at least ten traces.

    Raises:
        DistillgameError: If the file is missing or corrupt.
    """
    found = []
    rows = read_charges(path)
    counts = [_facts(knowledge, row.completion) for row in rows]
    for name, values in (("v_gap", [row.v_gap for row in rows]), ("kl", [row.kl for row in rows])):
        known = [(value, count) for value, count in zip(values, counts, strict=True) if value is not None]
        if predictor := _predictor(name, known):
            found.append(predictor)
    return found


def _facts(knowledge: Knowledge, completion: str) -> int:
    return len({claim.fact for claim in knowledge.claims(completion) if claim.true})


def _predictor(name: str, pairs: Sequence[tuple[float, int]]) -> Predictor | None:
    from scipy.stats import spearmanr

    values, counts = [value for value, _ in pairs], [count for _, count in pairs]
    if len(pairs) < 10 or len(set(values)) < 2 or len(set(counts)) < 2:
        return None
    found = float(spearmanr(values, counts).statistic)
    z = atanh(min(max(found, -1 + 1e-12), 1 - 1e-12))
    error = RANKS / sqrt(len(pairs) - 3)
    return Predictor(name, found, tanh(z - NORMAL * error), tanh(z + NORMAL * error), len(pairs))
