"""Truncation and the draw: the one place where top-p, top-k and randomness act on released log-probabilities."""

import torch


def truncate(logprobs: torch.Tensor, top_p: float = 1.0, top_k: int = 0) -> torch.Tensor:
    """Keep the ``top_k`` likeliest tokens and then the smallest set of them with at least ``top_p`` of the mass left.

    Ties at the border are broken towards the lower id. The result is not renormalised.

    Args:
        logprobs: Log-probabilities, shape (B, V).
        top_p: Mass to keep, in (0, 1].
        top_k: Number of tokens to keep, 0 for all.

    Returns:
        Log-probabilities with -inf for dropped tokens, shape (B, V).
    """
    keep_all_k = top_k == 0 or top_k >= logprobs.shape[-1]
    if keep_all_k and top_p >= 1:
        return logprobs
    ordered, order = torch.sort(logprobs, dim=-1, descending=True, stable=True)
    if not keep_all_k:
        ordered[:, top_k:] = -torch.inf
    if top_p < 1:
        mass = torch.softmax(ordered, -1)
        before = mass.cumsum(-1) - mass
        ordered[before >= top_p] = -torch.inf
    return torch.full_like(logprobs, -torch.inf).scatter_(-1, order, ordered)


def draw(logprobs: torch.Tensor, uniform: torch.Tensor) -> torch.Tensor:
    """Draw a token a row by inverting the distribution function at ``uniform``.

    Args:
        logprobs: Log-probabilities up to a constant a row, shape (B, V).
        uniform: Numbers in [0, 1), float64, shape (B,).

    Returns:
        Token ids, shape (B,); a token of probability zero is never drawn.
    """
    weights = torch.softmax(logprobs, -1)
    # In float32 the running sum over a large vocabulary would round small tokens away.
    cumulative = weights.cumsum(-1, dtype=torch.float64)
    total = cumulative[:, -1:]
    target = torch.minimum(uniform[:, None] * total, torch.nextafter(total, torch.zeros_like(total)))
    return torch.searchsorted(cumulative, target, right=True).squeeze(-1)
