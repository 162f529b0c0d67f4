"""How far ahead the proxy drafts: as far as acceptance so far and measured costs say that it pays."""

from collections.abc import Sequence

from distillgame.decoding.calibration import WIDEST, Calibration

MAX_DRAFTS = WIDEST - 1
PRIOR_TRIALS = 8.0
"""The acceptance of all sequences together counts as this many trials of each."""

MEMORY = 0.05
"""Weight of the newest round in what is known of how long rounds take."""

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
        self.overrun = {False: 1.0, True: 1.0}

    def record(self, accepted: int, trials: int) -> None:
        """Take note of what became of proposals, whosesoever."""
        self.accepted += accepted
        self.trials += trials

    def observe(self, history: Sequence[tuple[int, int]], drafts: int, seconds: float) -> None:
        """Take note of how long a round took: around the passes there is work that no calibration knows."""
        ratio = seconds / self._seconds(self._rates(history), drafts)
        self.overrun[drafts > 0] += MEMORY * (ratio - self.overrun[drafts > 0])

    def drafts(self, history: Sequence[tuple[int, int]]) -> int:
        """Number of drafts that decides the most tokens a second, 0 where speculation does not pay.

        With acceptance a, d drafts decide (1 - a^(d+1)) / (1 - a) tokens for one pass of the teacher over d+1 tokens
        and d passes of the proxy, one more if all were accepted.

        Args:
            history: For each running sequence, how many proposals were accepted and how many there were.
        """
        rates = self._rates(history)

        def speed(d: int) -> float:
            tokens = sum((1 - rate ** (d + 1)) / (1 - rate) for rate in rates)
            return tokens / (self._seconds(rates, d) * self.overrun[d > 0])

        return max(range(MAX_DRAFTS + 1), key=speed)

    def _rates(self, history: Sequence[tuple[int, int]]) -> list[float]:
        prior = self.accepted / self.trials * PRIOR_TRIALS
        return [min((accepted + prior) / (trials + PRIOR_TRIALS), 0.999) for accepted, trials in history]

    def _seconds(self, rates: Sequence[float], drafts: int) -> float:
        """What the passes and choices of a round cost."""
        costs, rows = self.calibration, len(rates)
        passes = drafts + sum(rate**drafts for rate in rates) / rows
        choosing = rows * (drafts * costs.draft + passes * costs.decide)
        return costs.teacher_seconds(rows, drafts + 1) + passes * costs.proxy_seconds(rows) + choosing
