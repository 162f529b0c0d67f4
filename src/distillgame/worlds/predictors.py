"""A check of the ledger's units: does a trace's value or its KL tell how many private facts the trace releases?"""

from pathlib import Path

from distillgame.records import read_charges
from distillgame.stats import RankCorrelation, rank_correlation
from distillgame.tasks import Knowledge


def predictors(path: Path, knowledge: Knowledge) -> dict[str, RankCorrelation]:
    """Return by measurement how well its order is that of the private facts that traces give rightly.

    ``v_gap`` and ``kl``, as far as they were measured and vary, each on at least ten traces.

    Raises:
        DistillgameError: If the file is missing or corrupt.
    """
    rows = read_charges(path)
    counts = [_facts(knowledge, row.completion) for row in rows]
    found = {}
    for name, values in (("v_gap", [row.v_gap for row in rows]), ("kl", [row.kl for row in rows])):
        known = [(value, count) for value, count in zip(values, counts, strict=True) if value is not None]
        correlation = rank_correlation(known)
        if correlation is not None:
            found[name] = correlation
    return found


def _facts(knowledge: Knowledge, completion: str) -> int:
    return len({claim.fact for claim in knowledge.claims(completion) if claim.true})
