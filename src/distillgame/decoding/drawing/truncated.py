"""A distribution after top-p and top-k, truncated once however many of its uses there are."""

from functools import cached_property

import torch

from distillgame.decoding.drawing.sampler import draw, draw_weighted, truncate
from distillgame.decoding.request import SamplingParams
from distillgame.policies import Distribution


class Truncated:
    """Distributions of N positions after truncation, renormalised.

    Args:
        whole: The distributions before truncation.
        params: Top-p and top-k.
    """

    def __init__(self, whole: Distribution, params: SamplingParams):
        self._whole, self._params = whole, params

    @cached_property
    def _kept(self) -> torch.Tensor | None:
        """The probabilities, shape (N, V); None where nothing is dropped, since they need not be known to draw."""
        if self._params.top_p >= 1 and self._params.top_k == 0:
            return None
        whole = self._whole.probabilities
        kept = truncate(whole, self._params.top_p, self._params.top_k)
        # What truncation leaves has to sum to one again before p and q can be compared.
        return whole if kept is whole else kept.div_(kept.sum(-1, keepdim=True))

    def draw(self, uniform: torch.Tensor) -> torch.Tensor:
        """Draw a token per position by random numbers in [0, 1), float64; both of shape (N,)."""
        return draw(self._whole, uniform) if self._kept is None else draw_weighted(self._kept, uniform)

    def probability(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return the probability of one token per position, shape (N,)."""
        column = tokens[:, None]
        if self._kept is None:
            return (self._whole.weights(column) / self._whole.total).squeeze(-1)
        return self._kept.gather(-1, column).squeeze(-1)

    def probabilities(self, rows: torch.Tensor | None = None) -> torch.Tensor:
        """Return all probabilities of some positions, by their indices, or of all, shape (R, V)."""
        if self._kept is None:
            return (self._whole if rows is None else self._whole.rows(rows)).probabilities
        return self._kept if rows is None else self._kept[rows]
