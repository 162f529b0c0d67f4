"""How far ahead the proxy drafts: as far as acceptance so far and measured costs say that it pays."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from distillgame.decoding.calibration import WIDEST, Calibration

MAX_DRAFTS = WIDEST - 1
AHEAD = np.arange(MAX_DRAFTS + 1)[:, None]
"""Numbers of drafts, one a row."""

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
        self._known: dict[int, tuple[np.ndarray[Any, np.dtype[np.float64]], float]] = {}

    def record(self, accepted: int, trials: int) -> None:
        """Take note of what became of proposals, whosesoever."""
        self.accepted += accepted
        self.trials += trials

    def observe(self, history: Sequence[tuple[int, int]], drafts: int, seconds: float) -> None:
        """Take note of how long a round took: around the passes there is work that no calibration knows."""
        ratio = seconds / float(self._seconds(self._rates(history))[drafts])
        self.overrun[drafts > 0] += MEMORY * (ratio - self.overrun[drafts > 0])

    def drafts(self, history: Sequence[tuple[int, int]]) -> int:
        """Number of drafts that decides the most tokens a second, 0 where speculation does not pay.

        With acceptance a, d drafts decide (1 - a^(d+1)) / (1 - a) tokens for one pass of the teacher over d+1 tokens
        and d passes of the proxy, one more if all were accepted.

        Args:
            history: For each running sequence, how many proposals were accepted and how many there were.
        """
        rates = self._rates(history)
        tokens = ((1 - rates ** (AHEAD + 1)) / (1 - rates)).sum(1)
        overrun = np.where(AHEAD[:, 0] > 0, self.overrun[True], self.overrun[False])
        return int(np.argmax(tokens / (self._seconds(rates) * overrun)))

    def _rates(self, history: Sequence[tuple[int, int]]) -> np.ndarray[Any, np.dtype[np.float64]]:
        """The acceptance to be expected of each sequence, shape (rows,)."""
        prior = self.accepted / self.trials * PRIOR_TRIALS
        known = np.array(history, np.float64).reshape(-1, 2)
        return np.minimum((known[:, 0] + prior) / (known[:, 1] + PRIOR_TRIALS), 0.999)

    def _seconds(self, rates: np.ndarray[Any, np.dtype[np.float64]]) -> np.ndarray[Any, np.dtype[np.float64]]:
        """What the passes and choices of a round cost, for each number of drafts, shape (MAX_DRAFTS + 1,)."""
        costs, rows = self.calibration, len(rates)
        if rows not in self._known:
            teacher = np.array([costs.teacher_seconds(rows, d + 1) for d in range(MAX_DRAFTS + 1)])
            self._known[rows] = teacher, costs.proxy_seconds(rows)
        teacher, proxy = self._known[rows]
        drafts = AHEAD[:, 0]
        passes = drafts + (rates**AHEAD).mean(1)
        choosing = rows * (drafts * costs.draft + passes * costs.decide)
        seconds: np.ndarray[Any, np.dtype[np.float64]] = teacher + passes * proxy + choosing
        return seconds
