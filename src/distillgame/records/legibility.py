"""The schema of legibility in ``results.json``: what judges make of the traces, and what to make of the judges."""

from pydantic import Field

from distillgame.records.intervals import ConfidenceInterval
from distillgame.strict import Strict


class MeanScore(Strict):
    """A mean of scores.

    Attributes:
        mean: The mean.
        interval: Its 95% interval, resampled over problems.
        n: Number of scores.
    """

    mean: float
    interval: ConfidenceInterval
    n: int


class LevelShare(Strict):
    """The share of traces on one level of auditability.

    Attributes:
        level: The level, 1 to 5; scores between levels count for the nearest.
        share: Their share.
        interval: Its 95% interval, resampled over problems.
    """

    level: int
    share: float
    interval: ConfidenceInterval


class ScoreShift(Strict):
    """A difference of scores, paired by problem.

    Attributes:
        value: The mean difference.
        interval: Its 95% interval, resampled over problems.
        p_value: Two-sided p-value for no difference, from random signs, corrected for the number of defenses (Holm).
        significant: Whether it is below .05.
        n: Number of problems.
    """

    value: float
    interval: ConfidenceInterval
    p_value: float
    significant: bool
    n: int


class LegibilityRow(Strict):
    """One judge's word on one defense.

    Attributes:
        judge: The judge with its options.
        defense: The teacher row's ``defense``.
        auditability: Auditability from 1 to 5; None if traces of fewer than two problems were scored.
        levels: Its distribution.
        criteria: Mean scores of the other criteria, by name.
        if_correct: Auditability of the traces whose answer is right; None if there is none.
        if_wrong: Auditability of the others.
        by_length: Auditability of the shortest, the middle and the longest third of all judged traces, as far as the
            defense has traces there.
        failures: Number of traces that were not scored, by reason.
        over_standard: Auditability minus the undefended teacher's, paired by problem and corrected for the number of
            defenses; None for the latter, or if it was not played.
        prompt_tokens: Number of tokens that the judge read for them.
        tokens: Number of tokens that it wrote.
    """

    judge: str
    defense: str
    auditability: MeanScore | None
    levels: list[LevelShare]
    criteria: dict[str, MeanScore]
    if_correct: MeanScore | None
    if_wrong: MeanScore | None
    by_length: list[MeanScore | None]
    failures: dict[str, int]
    over_standard: ScoreShift | None
    prompt_tokens: int = 0
    tokens: int = 0


class AnchorRow(Strict):
    """The anchors of one kind.

    Attributes:
        kind: ``reference``, ``shuffled``, ``planted``, ``garbled`` or ``answer_alone``.
        auditability: Their auditability.
        below_reference: Auditability of the reference solutions minus theirs, paired by problem; None for the former.
        in_order: Whether that is above zero beyond chance; None for the reference solutions.
    """

    kind: str
    auditability: MeanScore
    below_reference: MeanScore | None
    in_order: bool | None


class JudgeRow(Strict):
    """The record of one judge: failures, controls, costs.

    Attributes:
        judge: The judge with its options.
        scored: Number of exhibits that it scored.
        failures: Number of exhibits that it did not, by reason.
        prompt_tokens: Number of tokens that it read.
        tokens: Number of tokens that it wrote.
        repeated: Mean absolute difference between two scores of one trace; None if none was judged twice.
        anchors: The anchors.
        moved: Auditability of reference solutions that talk to the judge minus that of the same solutions without; None
            if none do.
        moved_share: Share of those whose score rose by at least one level.
        fallen_share: Share of those whose score fell by at least one level.
        length_correlation: Rank correlation of auditability and length; None if one of them does not vary.
    """

    judge: str
    scored: int
    failures: dict[str, int]
    prompt_tokens: int
    tokens: int
    repeated: float | None
    anchors: list[AnchorRow]
    moved: MeanScore | None
    moved_share: float | None
    fallen_share: float | None = None
    length_correlation: float | None


class AgreementRow(Strict):
    """The agreement of two judges on the same traces.

    Attributes:
        first: A judge.
        second: Another.
        alpha: Krippendorff's alpha for ordinal data, scores rounded to levels.
        alpha_interval: Its 95% interval, resampled over problems.
        kappa: Cohen's kappa with quadratic weights.
        kappa_interval: Its 95% interval.
        n: Number of traces that both scored.
    """

    first: str
    second: str
    alpha: float
    alpha_interval: ConfidenceInterval
    kappa: float
    kappa_interval: ConfidenceInterval
    n: int


class LegibilityComparison(Strict):
    """Two defenses, compared by one judge.

    Attributes:
        judge: The judge with its options.
        first: A defense.
        second: Another.
        difference: The first's auditability minus the second's, paired by problem; corrected for the number of pairs.
    """

    judge: str
    first: str
    second: str
    difference: ScoreShift


class Legibility(Strict):
    """Everything about legibility in a game.

    Attributes:
        problems: Number of problems that were judged, as every defense released them with the first seed.
        judges: What is known of each judge, in the order of the configuration.
        rows: One row per judge and defense.
        comparisons: One row per judge and pair of defenses, the undefended teacher aside.
        agreements: One row per pair of judges.
    """

    problems: int
    judges: list[JudgeRow]
    rows: list[LegibilityRow]
    comparisons: list[LegibilityComparison] = Field(default_factory=list)
    agreements: list[AgreementRow] = Field(default_factory=list)

    def of(self, defense: str) -> LegibilityRow | None:
        """Return the first judge's word on a defense."""
        return next((row for row in self.rows if row.defense == defense), None)
