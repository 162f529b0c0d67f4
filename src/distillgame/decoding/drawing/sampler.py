"""Truncation and drawing: the one place where top-p, top-k and randomness act on the released distribution."""

from collections.abc import Callable

import torch

from distillgame.policies.distribution import Distribution, block_size

GUESSES = (64, 1024)
"""Numbers of tokens within which a nucleus is searched first: sorting a whole large vocabulary is slow."""


def truncate(probabilities: torch.Tensor, top_p: float = 1.0, top_k: int = 0) -> torch.Tensor:
    """Keep the ``top_k`` likeliest tokens and then the smallest set of them with at least ``top_p`` of the mass left.

    Ties at the border are broken towards the lower id. The result is not renormalised.

    Args:
        probabilities: Probabilities, shape (B, V).
        top_p: Mass to keep, in (0, 1].
        top_k: Number of tokens to keep, 0 for all.

    Returns:
        Probabilities with 0 for dropped tokens, shape (B, V).
    """
    size = probabilities.shape[-1]
    limited = 0 < top_k < size
    if not limited and top_p >= 1:
        return probabilities
    guesses = [guess for guess in GUESSES if guess < size and (not limited or guess > top_k)]
    for guess in (*guesses, size):
        likeliest, tokens = _likeliest(probabilities, guess)
        mass = likeliest.double()
        if guess == size:
            break
        enough = mass.cumsum(-1) >= top_p
        last = torch.full_like(tokens[:, :1], top_k - 1) if limited else enough.int().argmax(-1, keepdim=True)
        # A last token as likely as the guess's own last might have equals outside of it, unless nothing is left there.
        border = likeliest[:, -1:]
        if (((likeliest.gather(-1, last) > border) & (limited | enough[:, -1:])) | (border == 0)).all():
            break
    if limited:
        likeliest[:, top_k:] = mass[:, top_k:] = 0
    if top_p < 1:
        total = mass.sum(-1, keepdim=True) if limited else 1.0
        likeliest[mass.cumsum(-1) - mass >= top_p * total] = 0
    return torch.zeros_like(probabilities).scatter_(-1, tokens, likeliest)


def _likeliest(probabilities: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the ``count`` largest probabilities in descending order, ties by ascending id, and their ids."""
    if count == probabilities.shape[-1]:
        ordered, ids = torch.sort(probabilities, dim=-1, descending=True, stable=True)
        return ordered, ids
    ids = torch.topk(probabilities, count, dim=-1, sorted=False).indices.sort(-1).values
    ordered, places = torch.sort(probabilities.gather(-1, ids), dim=-1, descending=True, stable=True)
    return ordered, ids.gather(-1, places)


def draw(distribution: Distribution, uniform: torch.Tensor) -> torch.Tensor:
    """Draw one token per row by inverting the cumulative distribution at ``uniform``.

    Args:
        distribution: B distributions.
        uniform: Numbers in [0, 1), float64, shape (B,).

    Returns:
        Token ids, shape (B,); a token of probability zero is never drawn.
    """
    return _draw(distribution.sums, distribution.logits.shape[-1], distribution.weights, uniform)


def draw_weighted(weights: torch.Tensor, uniform: torch.Tensor) -> torch.Tensor:
    """Draw one token per row from probabilities known up to a factor per row, float32, shape (B, V)."""
    size = weights.shape[-1]
    block = block_size(size)
    if block == 1:
        return _place(weights, uniform)[0].squeeze(-1)
    padded = torch.nn.functional.pad(weights, (0, -size % block)) if size % block else weights
    sums = padded.view(len(weights), -1, block).sum(-1)
    return _draw(sums, size, lambda ids: weights.gather(-1, ids), uniform)


def _draw(
    sums: torch.Tensor, size: int, weights: Callable[[torch.Tensor], torch.Tensor], uniform: torch.Tensor
) -> torch.Tensor:
    place, target, cumulative = _place(sums, uniform)
    block = block_size(size)
    if block == 1:
        return place.squeeze(-1)
    # The number's position within its block, again in [0, 1].
    weight = sums.gather(-1, place).double()
    inside = ((target - cumulative.gather(-1, place) + weight) / weight).squeeze(-1).clamp(0, 1)
    ids = place * block + torch.arange(block, device=sums.device)
    chosen = weights(ids.clamp(max=size - 1)).masked_fill(ids >= size, 0.0)
    return (place * block + _place(chosen, inside)[0]).squeeze(-1).clamp_(max=size - 1)


def _place(weights: torch.Tensor, uniform: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the index that ``uniform`` falls on, (B, 1), the target sum, (B, 1), and the running sum, (B, n)."""
    # In float32 the running sum over a large vocabulary would round small tokens away.
    cumulative = weights.cumsum(-1, dtype=torch.float64)
    total = cumulative[:, -1:]
    # One less than the total: a number that rounds up to it would fall beyond the last token of any weight.
    target = torch.minimum(uniform[:, None] * total, total * (1 - 2**-53))
    # If weights are nan nothing is found; the caller reports the position as broken.
    place = torch.searchsorted(cumulative, target, right=True).clamp_(max=weights.shape[-1] - 1)
    return place, target, cumulative


def accept(released: torch.Tensor, drafted: torch.Tensor, uniform: torch.Tensor) -> torch.Tensor:
    """Decide whether tokens drawn from one distribution may stand for draws from another.

    Accepting x with probability min(1, p(x)/q(x)) and otherwise drawing from :func:`residual` yields exactly p
    (speculative sampling; Leviathan et al., 2023).

    Args:
        released: Probabilities p(x) under the target, shape (B,).
        drafted: Probabilities q(x) under the distribution that x was drawn from, shape (B,).
        uniform: Numbers in [0, 1), float64, shape (B,).

    Returns:
        Booleans, shape (B,).
    """
    return uniform * drafted < released.double()


def residual(released: torch.Tensor, drafted: torch.Tensor) -> torch.Tensor:
    """Return the distribution to draw from after a rejection: (p-q)+ up to a factor, or p if rounding leaves nothing.

    Args:
        released: Probabilities p, shape (B, V).
        drafted: Probabilities q, shape (B, V).

    Returns:
        Weights, shape (B, V).
    """
    rest = (released - drafted).clamp_(min=0)
    return torch.where(rest.amax(-1, keepdim=True) > 0, rest, released)
