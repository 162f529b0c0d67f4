"""The queue of sequences: admission within a batch and a token budget, eviction when they outgrow it."""

from collections import deque
from collections.abc import Iterable

from distillgame.decoding.batching.sequence import Sequence

HEADROOM = 32
"""Number of tokens every row can still grow by when a sequence is admitted, so that it is not evicted at once."""

ADMIT_FRACTION = 8
"""Sequences wait until this part of the batch is free: reading one prompt costs about one step of the whole batch."""

PATIENCE = 2
"""Steps for which sequences that could run wait for others, so that several prompts are read at once."""

PREFILL_TOKENS = 8192
"""Most tokens, padding included, that one pass over prompts reads."""


class Scheduler:
    """Waiting and running sequences, first come, first served.

    Memory is bounded by rows x longest row, since a batch is a rectangle. When growth breaks the bound, the newest
    sequence goes back to the front of the queue and later resumes from the tokens it has; since its random stream is
    its own, this costs time but changes no token.

    Args:
        batch_size: Most sequences that run at once.
        token_budget: Bound on rows x longest row, in tokens.
    """

    def __init__(self, batch_size: int, token_budget: int):
        self.batch_size, self.token_budget = batch_size, token_budget
        self.waiting: deque[Sequence] = deque()
        self.running: list[Sequence] = []
        self._waited = 0

    def admit(self) -> list[Sequence]:
        """Move the sequences that may start now to ``running``, and return them."""
        free = self.batch_size - len(self.running)
        few = max(1, self.batch_size // ADMIT_FRACTION)
        if not self.waiting or (self.running and free < few):
            return []
        if self.running and len(self.waiting) < few and self._waited < PATIENCE:
            self._waited += 1
            return []
        self._waited = 0
        admitted: list[Sequence] = []
        longest = max((len(s.teacher_ids) for s in self.running), default=0)
        while self.waiting and len(self.running) < self.batch_size:
            longest = max(longest, len(self.waiting[0].teacher_ids))
            if self.running and (len(self.running) + 1) * (longest + HEADROOM) > self.token_budget:
                break
            admitted.append(self.waiting.popleft())
            self.running.append(admitted[-1])
        return admitted

    def evict(self, growth: int) -> list[Sequence]:
        """Send sequences back until those left can each grow by ``growth`` tokens; return those sent back."""
        evicted: list[Sequence] = []
        while len(self.running) > 1 and self._cells(growth) > self.token_budget:
            newest = max(self.running, key=lambda s: s.handle)
            self.running.remove(newest)
            self.waiting.appendleft(newest)
            evicted.append(newest)
        return evicted

    def drop(self, sequences: Iterable[Sequence]) -> None:
        """Forget sequences, waiting or running."""
        gone = {id(s) for s in sequences}
        self.running = [s for s in self.running if id(s) not in gone]
        self.waiting = deque(s for s in self.waiting if id(s) not in gone)

    def _cells(self, growth: int) -> int:
        return len(self.running) * (max(len(s.teacher_ids) for s in self.running) + growth)


def prefill_groups(sequences: list[Sequence]) -> list[list[Sequence]]:
    """Group sequences of similar length, so that one pass reads a bounded number of tokens with little padding."""
    groups: list[list[Sequence]] = []
    for s in sorted(sequences, key=lambda s: len(s.teacher_ids)):
        if groups and (len(groups[-1]) + 1) * len(s.teacher_ids) <= PREFILL_TOKENS:
            groups[-1].append(s)
        else:
            groups.append([s])
    return groups
