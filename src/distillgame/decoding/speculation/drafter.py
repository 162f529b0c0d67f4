"""The number of tokens drafted ahead, chosen from acceptance so far and from measured costs."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from distillgame.decoding.speculation.calibration import WIDEST, Calibration

MAX_DRAFTS = WIDEST - 1
AHEAD = np.arange(MAX_DRAFTS + 1)[:, None]
"""Numbers of drafts, one per row."""

PRIOR_TRIALS = 8.0
"""The acceptance of all sequences together counts as this many trials of each sequence."""

MEMORY = 0.05
"""Weight of the newest round in the running estimate of how long rounds take."""

PRIOR_RATE = 0.8
"""Acceptance assumed before anything was observed."""


class Drafter:
    """Chooses the number of drafts of the next round.

    Args:
        calibration: The costs of passes.
    """

    def __init__(self, calibration: Calibration):
        self.calibration = calibration
        self.accepted = PRIOR_RATE * PRIOR_TRIALS
        self.trials = PRIOR_TRIALS
        self.overrun = {False: 1.0, True: 1.0}
        self._known: dict[int, tuple[np.ndarray[Any, np.dtype[np.float64]], float]] = {}

    def record(self, accepted: int, trials: int) -> None:
        """Record how many proposals were accepted, over all sequences."""
        self.accepted += accepted
        self.trials += trials

    def observe(self, history: Sequence[tuple[int, int]], drafts: int, seconds: float) -> None:
        """Record how long a round took: it does work around the passes that no calibration measures."""
        ratio = seconds / float(self._seconds(self._rates(history))[drafts])
        self.overrun[drafts > 0] += MEMORY * (ratio - self.overrun[drafts > 0])

    def drafts(self, history: Sequence[tuple[int, int]]) -> int:
        """Return the number of drafts that decides the most tokens per second, 0 if speculation does not pay.

        With acceptance a, d drafts decide (1 - a^(d+1)) / (1 - a) tokens for one pass of the teacher over d+1 tokens
        and d passes of the proxy, one more if all were accepted.

        Args:
            history: For each running sequence, the numbers of accepted and of all proposals.
        """
        rates = self._rates(history)
        tokens = ((1 - rates ** (AHEAD + 1)) / (1 - rates)).sum(1)
        overrun = np.where(AHEAD[:, 0] > 0, self.overrun[True], self.overrun[False])
        return int(np.argmax(tokens / (self._seconds(rates) * overrun)))

    def _rates(self, history: Sequence[tuple[int, int]]) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Return the expected acceptance of each sequence, shape (rows,)."""
        prior = self.accepted / self.trials * PRIOR_TRIALS
        known = np.array(history, np.float64).reshape(-1, 2)
        return np.minimum((known[:, 0] + prior) / (known[:, 1] + PRIOR_TRIALS), 0.999)

    def _seconds(self, rates: np.ndarray[Any, np.dtype[np.float64]]) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Return the seconds of a round's passes and choices by number of drafts, shape (MAX_DRAFTS + 1,)."""
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
