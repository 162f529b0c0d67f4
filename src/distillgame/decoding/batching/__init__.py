"""The sequences that are decoded together: their state, the queue, and the round that moves them all on."""

from distillgame.decoding.batching.batch import Batch, Counters
from distillgame.decoding.batching.scheduler import Scheduler
from distillgame.decoding.batching.sequence import Sequence
from distillgame.decoding.batching.text import TextStream

__all__ = ["Batch", "Counters", "Scheduler", "Sequence", "TextStream"]
