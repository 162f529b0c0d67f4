"""Which sequences run: admission within a batch and a token budget, and eviction when they outgrow it."""

from collections import deque
from collections.abc import Iterable

from distillgame.decoding.sequence import Sequence

HEADROOM = 32
"""Tokens by which every row can still grow when a sequence is admitted, so that it is not evicted at once."""

ADMIT_FRACTION = 8
"""Sequences wait until this part of the batch is free: reading one prompt costs about as much as a step of them all."""

PATIENCE = 2
"""Steps for which sequences that could run wait for others to come, so that several prompts are read at once."""


class Scheduler:
    """Waiting and running sequences, first come, first served.

    Memory is bounded by rows x longest row, since a batch is a rectangle. A sequence whose growth breaks the bound
    sends the newest one back to the front of the queue, which starts again from the tokens that it has: its random
    stream is its own, so this changes nothing but time.

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
        """Move to ``running``, and return, the sequences that may start now."""
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
        """Send sequences back, and return them, until those that run can each grow by ``growth`` tokens."""
        evicted: list[Sequence] = []
        while len(self.running) > 1 and self._cells(growth) > self.token_budget:
            newest = max(self.running, key=lambda s: s.handle)
            self.running.remove(newest)
            self.waiting.appendleft(newest)
            evicted.append(newest)
        return evicted

    def drop(self, sequences: Iterable[Sequence]) -> None:
        """Forget sequences, wherever they are."""
        gone = {id(s) for s in sequences}
        self.running = [s for s in self.running if id(s) not in gone]
        self.waiting = deque(s for s in self.waiting if id(s) not in gone)

    def _cells(self, growth: int) -> int:
        return len(self.running) * (max(len(s.teacher_ids) for s in self.running) + growth)
