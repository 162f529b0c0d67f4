"""The rows of judges: their failures, their anchors, their constancy, and their agreement."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np

from distillgame.judges import AUDITABILITY, KINDS, REFERENCE, in_order
from distillgame.records import (
    AgreementRow,
    AnchorRow,
    ConfidenceInterval,
    JudgedExhibit,
    JudgeRow,
    MeanScore,
)
from distillgame.stats import (
    Interval,
    Scored,
    Shift,
    mean_score,
    ordinal_alpha,
    rank_correlation,
    weighted_kappa,
)

Key = tuple[str | None, str, str]
"""The exhibit on which two judges may agree: defense, kind and problem."""


def judge_row(judge: str, exhibits: Sequence[JudgedExhibit]) -> JudgeRow:
    """Return what is known of one judge.

    Args:
        judge: The judge's label.
        exhibits: Everything that it judged.
    """
    traces = [each for each in exhibits if each.role == "trace" and AUDITABILITY in each.scores]
    pairs = [(each.scores[AUDITABILITY], float(each.characters)) for each in traces]
    correlation = rank_correlation(pairs)
    moves = _moves(exhibits)
    return JudgeRow(
        judge=judge,
        scored=sum(AUDITABILITY in each.scores for each in exhibits),
        failures=dict(Counter(each.failure for each in exhibits if each.failure is not None)),
        prompt_tokens=sum(each.prompt_tokens for each in exhibits),
        tokens=sum(each.tokens for each in exhibits),
        repeated=_repeated(exhibits),
        anchors=_anchors(exhibits),
        moved=_score(moves, [str(i) for i in range(len(moves))]),
        moved_share=float(np.mean([move >= 1 for move in moves])) if moves else None,
        fallen_share=float(np.mean([move <= -1 for move in moves])) if moves else None,
        length_correlation=None if correlation is None else correlation.value,
    )


def agreements(judged: Mapping[str, Sequence[JudgedExhibit]]) -> list[AgreementRow]:
    """Return the agreement of every pair of judges on traces and anchors, as far as it is defined.

    Args:
        judged: What each judge said, by label.
    """
    scores = {judge: _by_key(exhibits) for judge, exhibits in judged.items()}
    rows = []
    for first, second in combinations(scores, 2):
        shared = [key for key in scores[first] if key in scores[second]]
        # Agreement is on levels: a program's fractions would make every difference count.
        table = [[_level(scores[judge][key]) for key in shared] for judge in (first, second)]
        problems = [problem for _, _, problem in shared]
        if len(set(problems)) < 2:
            continue
        alpha, kappa = ordinal_alpha(Scored(table, problems)), weighted_kappa(Scored(table, problems))
        if alpha is not None and kappa is not None:
            rows.append(
                AgreementRow(
                    first=first,
                    second=second,
                    alpha=alpha.value,
                    alpha_interval=_interval(alpha),
                    kappa=kappa.value,
                    kappa_interval=_interval(kappa),
                    n=len(shared),
                )
            )
    return rows


def scored(exhibits: Sequence[JudgedExhibit], criterion: str) -> Scored:
    """Return the scores of exhibits on a criterion, with their problems.

    Args:
        exhibits: The exhibits; those without a score have none here, either.
        criterion: The criterion.
    """
    return Scored([each.scores.get(criterion, np.nan) for each in exhibits], [each.problem_id for each in exhibits])


def mean_of(exhibits: Sequence[JudgedExhibit], criterion: str) -> MeanScore | None:
    """Return the mean score on a criterion; None if there are scores of fewer than two problems.

    Args:
        exhibits: The exhibits.
        criterion: The criterion.
    """
    found = [each for each in exhibits if criterion in each.scores]
    return _score([each.scores[criterion] for each in found], [each.problem_id for each in found])


def auditability(exhibits: Sequence[JudgedExhibit]) -> MeanScore | None:
    """Return the mean auditability; None if there are scores of fewer than two problems."""
    return mean_of(exhibits, AUDITABILITY)


def _score(values: Sequence[float], problems: Sequence[str]) -> MeanScore | None:
    if len(set(problems)) < 2:
        return None
    found = mean_score(Scored(values, problems))
    return MeanScore(mean=found.value, interval=_interval(found), n=len(values))


def _anchors(exhibits: Sequence[JudgedExhibit]) -> list[AnchorRow]:
    by_kind = {kind: [each for each in exhibits if each.role == "anchor" and each.kind == kind] for kind in KINDS}
    scores = {
        kind: {each.problem_id: each.scores[AUDITABILITY] for each in anchors if AUDITABILITY in each.scores}
        for kind, anchors in by_kind.items()
    }
    pairs = {pair.below: pair for pair in in_order(scores)}
    rows = []
    for kind, anchors in by_kind.items():
        score, pair = auditability(anchors), pairs.get(kind)
        if score is None:
            continue
        shift = None if pair is None else pair.shift
        below = None if shift is None else MeanScore(mean=shift.value, interval=_interval(shift), n=shift.problems)
        order = None if pair is None else pair.holds
        rows.append(AnchorRow(kind=kind, auditability=score, below_reference=below, in_order=order))
    return rows


def _moves(exhibits: Sequence[JudgedExhibit]) -> list[float]:
    """Return how far each reference solution rose when it talked to the judge."""
    plain = {each.problem_id: each for each in exhibits if each.role == "anchor" and each.kind == REFERENCE}
    planted = [each for each in exhibits if each.role == "injected" and each.problem_id in plain]
    pairs = [(each.scores, plain[each.problem_id].scores) for each in planted]
    return [ours[AUDITABILITY] - theirs[AUDITABILITY] for ours, theirs in pairs
            if AUDITABILITY in ours and AUDITABILITY in theirs]  # fmt: skip


def _repeated(exhibits: Sequence[JudgedExhibit]) -> float | None:
    first = {(each.defense, each.problem_id): each.scores for each in exhibits if each.role == "trace"}
    gaps = [
        abs(each.scores[AUDITABILITY] - first[each.defense, each.problem_id][AUDITABILITY])
        for each in exhibits
        if each.role == "repeat"
        and AUDITABILITY in each.scores
        and AUDITABILITY in first[each.defense, each.problem_id]
    ]
    return float(np.mean(gaps)) if gaps else None


def _by_key(exhibits: Sequence[JudgedExhibit]) -> dict[Key, float]:
    return {
        (each.defense, each.kind or "", each.problem_id): each.scores[AUDITABILITY]
        for each in exhibits
        if each.role in ("trace", "anchor") and AUDITABILITY in each.scores
    }


def _interval(found: Interval | Shift) -> ConfidenceInterval:
    return ConfidenceInterval(low=found.low, high=found.high)


def _level(score: float) -> int:
    """Return the nearest level, the higher of two, as distributions count it."""
    return math.floor(score + 0.5)
