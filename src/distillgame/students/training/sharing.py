"""The exchange between processes that train one student together: each sees the minibatch as a whole."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
import torch.distributed

from distillgame.students.lessons import Lesson

T = TypeVar("T")


def processes() -> int:
    """Return how many processes train together; 1 where none others do."""
    return torch.distributed.get_world_size() if torch.distributed.is_initialized() else 1


def place() -> int:
    """Return this process's place among them, from 0."""
    return torch.distributed.get_rank() if torch.distributed.is_initialized() else 0


def is_first() -> bool:
    """Return whether this process is the one that writes."""
    return place() == 0


def everywhere_the_first(thing: T) -> T:
    """Return what the first process has: choices that rest on rounding might differ between them."""
    if processes() == 1:
        return thing
    holder = [thing]
    torch.distributed.broadcast_object_list(holder, src=0)
    return holder[0]


def own_part(lessons: Sequence[Lesson]) -> list[Lesson]:
    """Return this process's part of a forward pass's lessons.

    Parts follow each other in the order of places. All processes must make the same number of passes, so one for which
    nothing is left gets a lesson that does not count: its log-weight is nan.
    """
    size = -(-len(lessons) // processes())
    part = list(lessons[place() * size : (place() + 1) * size])
    return part or [replace(lessons[0], log_weight=float("nan"))]


@dataclass(frozen=True)
class Whole:
    """The values and log-weights of all lessons of a forward pass, and where this process's own are among them.

    Attributes:
        values: v of each lesson, shape (B,).
        log_weights: The lessons' own log-weights, shape (B,).
        counts: Which of this process's lessons count, shape (b,).
        first: The place of its first one in the whole.
    """

    values: torch.Tensor
    log_weights: torch.Tensor
    counts: torch.Tensor
    first: int

    @classmethod
    def of(cls, values: torch.Tensor, log_weights: torch.Tensor) -> "Whole":
        """Exchange what each process has of a pass, shapes (b,)."""
        counts = ~log_weights.isnan()
        own = torch.stack([values[counts], log_weights[counts]])
        if processes() == 1:
            return cls(own[0], own[1], counts, 0)
        parts: list[torch.Tensor] = [own] * processes()
        torch.distributed.all_gather_object(parts, own.cpu())
        values, log_weights = torch.cat(parts, 1).to(own)
        return cls(values, log_weights, counts, sum(part.shape[1] for part in parts[: place()]))

    def own(self, weights: torch.Tensor) -> torch.Tensor:
        """Return this process's part of the weights of the whole, shape (b,); zero for a lesson that does not count."""
        part = torch.zeros(len(self.counts), dtype=weights.dtype, device=weights.device)
        part[self.counts] = weights[self.first : self.first + int(self.counts.sum())]
        return part
