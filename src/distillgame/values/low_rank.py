"""Low-rank factors of the matrices of a direction, chosen together for the least cost at a given error."""

import heapq
from dataclasses import dataclass

import torch

RANKS = (4, 8, 16, 24, 32, 48, 64, 96, 128)
"""Ranks that are tried; a matrix for which none is both accurate enough and cheaper stays whole."""


@dataclass(frozen=True)
class Factors:
    """A matrix of shape (m, n) as ``left @ right``; ``left`` is None if the matrix stays whole, in ``right``."""

    left: torch.Tensor | None
    right: torch.Tensor


def factorise(matrices: dict[int, torch.Tensor], tolerance: float) -> dict[int, Factors]:
    """Return cheap factors of all matrices that together drop a Frobenius norm of at most ``tolerance``.

    All start from the lowest rank. Until the error is small enough, the matrix that gains the most for its cost gets a
    higher one. A tolerance of its own for each matrix would keep the largest matrix whole, whose ranks cost the most.
    """
    ladders = {key: _ladder(matrix) for key, matrix in matrices.items()}
    chosen = dict.fromkeys(ladders, 0)
    dropped = sum(ladder.steps[0][1] for ladder in ladders.values())
    queue = [(*ladder.best_after(0), key) for key, ladder in ladders.items() if len(ladder.steps) > 1]
    heapq.heapify(queue)
    while dropped > tolerance**2 and queue:
        _, step, key = heapq.heappop(queue)
        ladder = ladders[key]
        dropped += ladder.steps[step][1] - ladder.steps[chosen[key]][1]
        chosen[key] = step
        if step < len(ladder.steps) - 1:
            heapq.heappush(queue, (*ladder.best_after(step), key))
    return {key: ladder.factors(chosen[key]) for key, ladder in ladders.items()}


@dataclass(frozen=True)
class _Ladder:
    """The choices of factors for a matrix.

    Attributes:
        matrix: The matrix.
        svd: Its largest singular values and vectors.
        steps: The multiplications and the dropped squared norm of each choice; the last is the matrix itself.
    """

    matrix: torch.Tensor
    svd: tuple[torch.Tensor, torch.Tensor, torch.Tensor]
    steps: list[tuple[int, float]]

    def best_after(self, step: int) -> tuple[float, int]:
        """Return the later step that drops the least per further multiplication: that rate, and the step's index."""
        cost, dropped = self.steps[step]
        return min(((d - dropped) / (c - cost), i) for i, (c, d) in enumerate(self.steps) if i > step)

    def factors(self, step: int) -> Factors:
        if step == len(self.steps) - 1:
            return Factors(None, self.matrix)
        u, s, v = (part[..., : RANKS[step]] for part in self.svd)
        return Factors((u * s).contiguous(), v.T.contiguous())


def _ladder(matrix: torch.Tensor) -> _Ladder:
    m, n = matrix.shape
    ranks = [rank for rank in RANKS if rank * (m + n) < m * n]
    with torch.random.fork_rng(devices=[matrix.device] if matrix.is_cuda else []):
        torch.manual_seed(0)  # the sketch is random, and a proxy must be the same every time
        u, s, v = torch.svd_lowrank(matrix, q=ranks[-1] if ranks else 1, niter=4)
    kept = s.double().square().cumsum(0)
    energy = float(matrix.double().square().sum())
    steps = [(rank * (m + n), max(energy - float(kept[rank - 1]), 0.0)) for rank in ranks]
    return _Ladder(matrix, (u, s, v), [*steps, (m * n, 0.0)])
