"""From what judges said to rows: means, distributions and shifts of every defense."""

from collections import Counter
from collections.abc import Sequence
from itertools import combinations

import numpy as np

from distillgame.arena.plan import STANDARD, GamePlan
from distillgame.arena.results.judges import agreements, auditability, judge_row, mean_of, scored
from distillgame.arena.results.scores import ALPHA
from distillgame.arena.stages import JUDGED
from distillgame.arena.store import Store
from distillgame.judges import AUDITABILITY
from distillgame.records import (
    ConfidenceInterval,
    JudgedExhibit,
    Legibility,
    LegibilityComparison,
    LegibilityRow,
    LevelShare,
    ScoreShift,
    read_judged,
)
from distillgame.stats import Shift, holm, level_masses, paired_shift, paired_shifts

STRATA = 3
"""Number of strata of length."""


def read_legibility(plan: GamePlan, store: Store) -> Legibility | None:
    """Return what all judges say about a game; None if there are none.

    Args:
        plan: The game.
        store: Where its stages are finished.
    """
    if not plan.judged:
        return None
    judged = {stage.judge.label: read_judged(store.folder(stage) / JUDGED) for stage in plan.judged}
    return Legibility(
        problems=plan.judged[0].problems.size,
        judges=[judge_row(label, exhibits) for label, exhibits in judged.items()],
        rows=[row for label, exhibits in judged.items() for row in legibility_rows(label, exhibits)],
        comparisons=[row for label, exhibits in judged.items() for row in legibility_comparisons(label, exhibits)],
        agreements=agreements(judged),
    )


def legibility_rows(judge: str, exhibits: Sequence[JudgedExhibit]) -> list[LegibilityRow]:
    """Return one judge's rows, one per defense.

    Args:
        judge: The judge's label.
        exhibits: Everything that it judged.
    """
    by_defense = _by_defense(exhibits)
    lengths = [each.characters for released in by_defense.values() for each in released]
    edges = np.quantile(lengths, np.arange(1, STRATA) / STRATA)
    shifts = _shifts(by_defense)
    return [_row(judge, defense, released, edges, shifts.get(defense)) for defense, released in by_defense.items()]


def _row(
    judge: str, defense: str, released: Sequence[JudgedExhibit], edges: np.ndarray, shift: ScoreShift | None
) -> LegibilityRow:
    names = dict.fromkeys(name for each in released for name in each.scores if name != AUDITABILITY)
    criteria = {name: mean_of(released, name) for name in names}
    strata = np.searchsorted(edges, [each.characters for each in released])
    return LegibilityRow(
        judge=judge,
        defense=defense,
        auditability=auditability(released),
        levels=_levels(released),
        criteria={name: score for name, score in criteria.items() if score is not None},
        if_correct=auditability([each for each in released if each.correct]),
        if_wrong=auditability([each for each in released if each.correct is False]),
        by_length=[
            auditability([each for each, at in zip(released, strata, strict=True) if at == stratum])
            for stratum in range(STRATA)
        ],
        failures=dict(Counter(each.failure for each in released if each.failure is not None)),
        over_standard=shift,
        prompt_tokens=sum(each.prompt_tokens for each in released),
        tokens=sum(each.tokens for each in released),
    )


def _levels(released: Sequence[JudgedExhibit]) -> list[LevelShare]:
    if auditability(released) is None:
        return []
    return [
        LevelShare(level=i + 1, share=mass.value, interval=ConfidenceInterval(low=mass.low, high=mass.high))
        for i, mass in enumerate(level_masses(scored(released, AUDITABILITY)))
    ]


def legibility_comparisons(judge: str, exhibits: Sequence[JudgedExhibit]) -> list[LegibilityComparison]:
    """Return one judge's comparisons of all pairs of defenses.

    Args:
        judge: The judge's label.
        exhibits: Everything that it judged.
    """
    by_defense = _by_defense(exhibits)
    pairs = [
        (first, second)
        for first, second in combinations(by_defense, 2)
        if STANDARD.label not in (first, second) and _comparable(by_defense[first], by_defense[second])
    ]
    found = [
        paired_shift(scored(by_defense[first], AUDITABILITY), scored(by_defense[second], AUDITABILITY))
        for first, second in pairs
    ]
    corrected = holm([shift.p_value for shift in found])
    return [
        LegibilityComparison(judge=judge, first=first, second=second, difference=_shift(shift, p_value))
        for (first, second), shift, p_value in zip(pairs, found, corrected, strict=True)
    ]


def _by_defense(exhibits: Sequence[JudgedExhibit]) -> dict[str, list[JudgedExhibit]]:
    found: dict[str, list[JudgedExhibit]] = {}
    for each in exhibits:
        if each.role == "trace":
            found.setdefault(str(each.defense), []).append(each)
    return found


def _shifts(by_defense: dict[str, list[JudgedExhibit]]) -> dict[str, ScoreShift]:
    """Return each defense's shift from the undefended teacher; none if that was not judged."""
    baseline = by_defense.get(STANDARD.label, [])
    others = {
        defense: scored(released, AUDITABILITY)
        for defense, released in by_defense.items()
        if defense != STANDARD.label and _comparable(baseline, released)
    }
    found = paired_shifts(others, scored(baseline, AUDITABILITY)) if others else {}
    return {defense: _shift(shift, shift.corrected) for defense, shift in found.items()}


def _comparable(first: Sequence[JudgedExhibit], second: Sequence[JudgedExhibit]) -> bool:
    """Return whether there are two problems of which traces of both were scored."""
    problems = [{each.problem_id for each in group if AUDITABILITY in each.scores} for group in (first, second)]
    return len(problems[0] & problems[1]) > 1


def _shift(shift: Shift, p_value: float) -> ScoreShift:
    return ScoreShift(
        value=shift.value,
        interval=ConfidenceInterval(low=shift.low, high=shift.high),
        p_value=p_value,
        significant=p_value < ALPHA,
        n=shift.problems,
    )
