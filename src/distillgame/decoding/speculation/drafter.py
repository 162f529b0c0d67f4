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
"""Least weight of the newest round in the running estimate of how long rounds take."""

TRIALS = 4
"""Rounds without drafts that are timed among the first ones with drafts, to know what drafting gains."""

REVISION = 64
"""Every so many rounds the number of drafts that was given up for its duration gets another chance."""

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
        self.overrun = np.ones(MAX_DRAFTS + 1)
        self.rounds = np.zeros(MAX_DRAFTS + 1, np.int64)
        self._known: dict[int, tuple[np.ndarray[Any, np.dtype[np.float64]], float]] = {}

    def record(self, accepted: int, trials: int) -> None:
        """Record how many proposals were accepted, over all sequences."""
        self.accepted += accepted
        self.trials += trials

    def observe(self, history: Sequence[tuple[int, int]], drafts: int, seconds: float) -> None:
        """Record how long a round took: it does work around the passes that no calibration measures."""
        ratio = seconds / float(self._seconds(self._rates(history))[drafts])
        self.rounds[drafts] += 1
        weight = max(MEMORY, 1 / self.rounds[drafts])
        self.overrun[drafts] += weight * (ratio - self.overrun[drafts])

    def drafts(self, history: Sequence[tuple[int, int]]) -> int:
        """Return the number of drafts of the next round, 0 if speculation does not pay.

        With acceptance a, d drafts decide (1 - a^(d+1)) / (1 - a) tokens for one pass of the teacher over d+1 tokens
        and d passes of the proxy, one more if all were accepted. The number that decides the most tokens per second is
        chosen, by the calibration corrected for how long such rounds have really taken.

        Args:
            history: For each running sequence, the numbers of accepted and of all proposals.
        """
        speed = self.speed(history)
        planned = int(np.argmax(speed))
        if self.rounds[0] < min(TRIALS, self.rounds[1:].sum()):
            return 0
        if self.rounds.sum() % REVISION == REVISION - 1:
            return planned
        return int(np.argmax(speed / self._expected_overrun()))

    def speed(self, history: Sequence[tuple[int, int]]) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Return the tokens decided per second by number of drafts, as the calibration has it."""
        rates = self._rates(history)
        tokens = ((1 - rates ** (AHEAD + 1)) / (1 - rates)).sum(1)
        speed: np.ndarray[Any, np.dtype[np.float64]] = tokens / self._seconds(rates)
        return speed

    def _expected_overrun(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Return the overrun by number of drafts; where there was no such round yet, that of the nearest."""
        seen = self.rounds.nonzero()[0]
        if not len(seen):
            return self.overrun
        numbers = AHEAD[:, 0]
        # A round without drafts says little about those with drafts, if there are others.
        away = abs(numbers[:, None] - seen) + MAX_DRAFTS * ((numbers[:, None] == 0) != (seen == 0))
        overrun: np.ndarray[Any, np.dtype[np.float64]] = self.overrun[seen[away.argmin(1)]]
        return overrun

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
