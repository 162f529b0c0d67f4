"""The campaign monitor, which tests whether an owner's queries look like ordinary traffic.

Each prompt becomes a vector of counts of its hashed n-grams of bytes, of unit length. The statistic of a window is
the unbiased squared maximum mean discrepancy to a reference of ordinary prompts (Gretton et al. 2012, eq. 3), with the
kernel k(x, y) = <x, y> + <x, y>^2: the square lets pairs of n-grams count. The threshold is the quantile of that
statistic over windows drawn from a part of the reference that is not compared with, so that a window of such traffic is
flagged at the chosen rate. Prompts are not kept, only hashed counts, in memory, until their window is judged.
"""

import json
from collections import deque
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from distillgame.errors import DistillgameError
from distillgame.gateway.api import monitored_text, text_of
from distillgame.tables import read_lines

FEATURES = 4096
"""Dimensions to which n-grams are hashed."""

LENGTHS = (2, 3, 4)
"""Lengths of n-grams, in bytes."""

PRIME, SHIFT = np.uint32(0x9E3779B1), np.uint32(20)
"""Multiplicative hashing: the upper twelve of 32 bits are the dimension."""

CHARACTERS = 2000
"""Characters of a prompt that are read, half at its beginning and half at its end."""

MOST = 2000
"""Reference prompts that are used, drawn at random."""

WINDOWS = 20_000
"""Windows from which the threshold is estimated."""

OWNERS = 10_000
"""Owners whose windows are kept; the one that has been quiet for longest is dropped first."""


@dataclass(frozen=True)
class Judgement:
    """The judgement of a full window.

    Attributes:
        statistic: Unbiased squared MMD to the reference.
        threshold: Value above which the owner is flagged.
    """

    statistic: float
    threshold: float

    @property
    def flagged(self) -> bool:
        """True if the window does not look like ordinary traffic."""
        return self.statistic > self.threshold


class Monitor:
    """Windows of queries per owner.

    Args:
        reference: Ordinary prompts; windows are compared with one half, the other half sets the threshold.
        window: Queries in a window. Windows do not overlap.
        false_alarm: Rate at which windows of ordinary traffic are flagged.
        seed: Seed of the split and of the windows that set the threshold.

    Raises:
        DistillgameError: If the reference is too small for the window.
    """

    def __init__(self, reference: list[str], window: int = 64, false_alarm: float = 0.001, seed: int = 0):
        if len(reference) < 8 * window:
            raise DistillgameError(
                f"monitor: {len(reference)} reference prompts are too few for windows of {window}: give {8 * window}"
            )
        rng = np.random.default_rng(seed)
        chosen = rng.permutation(len(reference))[:MOST]
        vectors = np.stack([features(reference[i]) for i in chosen])
        compared, held_out = np.array_split(vectors, 2)
        self.window = window
        self._compared = compared
        self._within = _mean_off_diagonal(_kernel(compared, compared))
        own, cross = _kernel(held_out, held_out), _kernel(held_out, compared).mean(1)
        statistics = np.empty(WINDOWS)
        for i in range(WINDOWS):
            rows = rng.choice(len(held_out), window, replace=False)
            statistics[i] = _mean_off_diagonal(own[np.ix_(rows, rows)]) - 2 * cross[rows].mean() + self._within
        self.threshold = float(np.quantile(statistics, 1 - false_alarm))
        self._windows: dict[str, deque[np.ndarray]] = {}

    def see(self, owner: str, prompt: str) -> np.ndarray | None:
        """Add a query to its owner's window, and return the window if it is full, shape (window, FEATURES)."""
        window = self._windows.pop(owner, None) or deque(maxlen=self.window)
        window.append(features(prompt))
        if len(window) == self.window:
            return np.stack(window)
        if len(self._windows) >= OWNERS:
            self._windows.pop(next(iter(self._windows)))
        self._windows[owner] = window
        return None

    def judge(self, vectors: np.ndarray) -> Judgement:
        """Judge a window, given as vectors of shape (window, FEATURES)."""
        own = _mean_off_diagonal(_kernel(vectors, vectors))
        statistic = own - 2 * float(_kernel(vectors, self._compared).mean()) + self._within
        return Judgement(statistic, self.threshold)


def read_reference(path: Path) -> list[str]:
    """Read prompts, one per line, as text or as JSON with ``prompt`` or ``messages``.

    Of conversations it reads what the server reads of its traffic (:func:`.monitored_text`).

    Raises:
        DistillgameError: If the file is not readable or a line holds no prompt.
    """
    if not path.is_file():
        raise DistillgameError(f"monitor.reference: {path}: No such file")
    try:
        lines = list(read_lines(path))
    except DistillgameError as error:
        raise DistillgameError(f"monitor.reference: {error}") from error
    return [_prompt(line.text, line.place) for line in lines]


def features(prompt: str) -> np.ndarray:
    """Return square roots of the counts of the prompt's hashed n-grams, of unit length, float32, shape (FEATURES,)."""
    text = prompt.lower()
    if len(text) > CHARACTERS:
        text = text[: CHARACTERS // 2] + text[-CHARACTERS // 2 :]
    data = np.frombuffer(f"  {text}  ".encode("utf-8", "replace"), np.uint8).astype(np.uint32)
    counts = np.zeros(FEATURES, np.float32)
    for n in LENGTHS:
        hashed = np.full(len(data) - n + 1, n, np.uint32)
        for k in range(n):
            hashed = (hashed ^ data[k : len(data) - n + 1 + k]) * PRIME
        counts += np.bincount(hashed >> SHIFT, minlength=FEATURES)
    # Square roots, so that frequent letters do not drown rare ones.
    return np.asarray(np.sqrt(counts / counts.sum()), np.float32)


def _prompt(line: str, where: str) -> str:
    if not line.lstrip().startswith("{"):
        return line
    try:
        data = json.loads(line)
        messages = data.get("messages")
        found = text_of(data.get("prompt")) if messages is None else monitored_text(messages)
    except (ValueError, AttributeError, TypeError) as error:
        raise DistillgameError(f"{where}: neither text nor JSON with 'prompt' or 'messages'") from error
    if not found:
        raise DistillgameError(f"{where}: no text in 'prompt' or 'messages': remove the line")
    return found


def _kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    inner: np.ndarray = (a @ b.T).astype(np.float64)
    return np.asarray(inner + inner**2)


def _mean_off_diagonal(kernel: np.ndarray) -> float:
    n = len(kernel)
    return float((kernel.sum() - np.trace(kernel)) / (n * (n - 1)))
