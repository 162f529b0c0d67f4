"""How far ahead the proxy drafts: as far as acceptance so far and measured costs say that it pays."""

from collections.abc import Sequence

from distillgame.decoding.calibration import WIDEST, Calibration

MAX_DRAFTS = WIDEST - 1
PRIOR_TRIALS = 8.0
"""The acceptance of all sequences together counts as this many trials of each."""

PRIOR_RATE = 0.8
"""Acceptance that is assumed before anything was seen."""


class Drafter:
    """Chooses the number of drafts of the next round.

    Args:
        calibration: What passes cost.
    """

    def __init__(self, calibration: Calibration):
        self.calibration = calibration
        self.accepted = PRIOR_RATE * PRIOR_TRIALS
        self.trials = PRIOR_TRIALS

    def record(self, accepted: int, trials: int) -> None:
        """Take note of what became of proposals, whosesoever."""
        self.accepted += accepted
        self.trials += trials

    def drafts(self, history: Sequence[tuple[int, int]]) -> int:
        """Number of drafts that decides the most tokens a second, 0 where speculation does not pay.

        With acceptance a, d drafts decide (1 - a^(d+1)) / (1 - a) tokens for one pass of the teacher over d+1 tokens
        and d passes of the proxy, one more if all were accepted.

        Args:
            history: For each running sequence, how many proposals were accepted and how many there were.
        """
        prior = self.accepted / self.trials
        rates = [
            min((accepted + prior * PRIOR_TRIALS) / (trials + PRIOR_TRIALS), 0.999) for accepted, trials in history
        ]
        proxy = self.calibration.proxy_seconds(len(rates))

        def speed(d: int) -> float:
            tokens = sum((1 - rate ** (d + 1)) / (1 - rate) for rate in rates)
            bonus = sum(rate**d for rate in rates) / len(rates)
            choosing = len(rates) * (d * self.calibration.draft + (d + bonus) * self.calibration.decide)
            return tokens / (self.calibration.teacher_seconds(len(rates), d + 1) + (d + bonus) * proxy + choosing)

        return max(range(MAX_DRAFTS + 1), key=speed)
