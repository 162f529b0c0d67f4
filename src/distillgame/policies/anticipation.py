"""The double-exponential tilt: the release of a teacher that anticipates an adaptive student (docs/game.md).

For each row, pi_rel ∝ pi_ref · exp(-kappa · exp(eta·v)/Z) with Z = E exp(eta·v) under pi_rel itself. Writing
Z = exp(eta·w), the tilt is kappa · expm1(eta·(v - w)) up to a constant, which keeps its digits where eta is tiny, and
w is a stationary point of

    h(w) = kappa·eta·w - log E_ref exp(-kappa · expm1(eta·(v - w))),

whose minimum over w is the minimum over all pi of kappa · log E_pi exp(eta·v) + KL(pi‖pi_ref), because
log E = min over Z of E/Z + log Z - 1. There may be several stationary points (of two tokens, keep the valuable one or
drop it); the lowest is the teacher's choice. It is searched on a grid, so if values spread over hundreds of nats, a
neighbouring point may be found that is slightly higher.
"""

import math

import torch

BOUND = 1e4
"""Largest tilt in nats, so that all tokens stay finite."""

BINS = 128
"""Number of bins of similar value that the search for the minimum uses in larger vocabularies."""

GRIDS = 49, 13
"""Numbers of points at which h is evaluated, first over the whole range, then around the best."""

STEPS, SLOPE, ENOUGH = 12, 0.1, 3e-6
"""Newton steps over the whole vocabulary, their least slope, and the accepted relative error of Z."""


def anticipated(log_ref: torch.Tensor, v: torch.Tensor, eta: float, kappa: float) -> torch.Tensor:
    """Return the anticipating teacher's log-probabilities, up to a constant per row, float32.

    Args:
        log_ref: log pi_ref, normalised, shape (B, V); tokens of probability zero keep it.
        v: Values of the tokens, shape (B, V); infinity is allowed.
        eta: The student's tilt, at least 0.
        kappa: The teacher's, at least 0; kappa·eta is gamma (PoE) or lambda (ADS) in the limit of a small eta.

    Returns:
        Shape (B, V).
    """
    if eta == 0 or kappa == 0:
        return log_ref
    v = torch.where(log_ref == -torch.inf, 0.0, v)
    w, low, high = _lowest(log_ref, v, eta, kappa)
    for _ in range(STEPS):
        tilt = _tilt(v, w, eta, kappa)
        # r = exp(eta (v - w)) - 1, of which the mean under pi_rel is to become zero.
        r = tilt / kappa
        p = torch.softmax(log_ref - tilt, -1)
        mean = (p * r).sum(-1, keepdim=True)
        # Row by row, so that no row depends on the batch it is in.
        done = mean.abs() < ENOUGH * min(eta, 1.0)
        if done.all():
            break
        variance = (p * (r - mean).square()).sum(-1, keepdim=True)
        slope = (1 - kappa * variance / (1 + mean).clamp(min=SLOPE)).clamp(min=SLOPE)
        step = mean.clamp(min=SLOPE - 1).log1p() / (eta * slope)
        low, high = torch.where(mean > 0, w, low), torch.where(mean < 0, w, high)
        # A step that would leave the bracket goes to its middle instead.
        inside = (w + step > low) & (w + step < high)
        w = torch.where(done, w, torch.where(inside, w + step, (low + high) / 2))
    return log_ref - _tilt(v, w, eta, kappa)


def _tilt(v: torch.Tensor, w: torch.Tensor, eta: float, kappa: float) -> torch.Tensor:
    return (eta * (v - w)).clamp_(max=math.log1p(BOUND / kappa)).expm1_().mul_(kappa)


def _lowest(
    log_ref: torch.Tensor, v: torch.Tensor, eta: float, kappa: float
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the approximate minimiser of h and a bracket around it, shape (B, 1) each."""
    possible = log_ref > -torch.inf
    low = v.masked_fill(~possible, torch.inf).amin(-1, keepdim=True)
    high = v.masked_fill(~possible | (v == torch.inf), -torch.inf).amax(-1, keepdim=True)
    # If no value is finite, all are equal and any w will do.
    low, high = torch.where(low == torch.inf, 0.0, low), torch.where(high == -torch.inf, 0.0, high)
    if log_ref.shape[-1] > BINS:
        log_ref, v = _binned(log_ref, v, low, high)
    brackets = []
    for count in GRIDS:
        w = low + (high - low) * torch.linspace(0, 1, count, device=v.device)
        tilts = _tilt(v[:, None], w[..., None], eta, kappa)
        h = kappa * eta * w - torch.logsumexp(log_ref[:, None] - tilts, -1)
        best = h.argmin(-1, keepdim=True)
        low, high = w.gather(-1, (best - 1).clamp(min=0)), w.gather(-1, (best + 1).clamp(max=count - 1))
        brackets.append((low, high))
    # The wider one: bins are not exact.
    return w.gather(-1, best), *brackets[0]


def _binned(
    log_ref: torch.Tensor, v: torch.Tensor, low: torch.Tensor, high: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return log-probability and mean value per bin, with one more bin for infinite values, (B, bins + 1) each."""
    is_finite = v < torch.inf
    finite = torch.where(is_finite, v, low)
    width = ((high - low) / BINS).clamp(min=torch.finfo(v.dtype).tiny)
    place = ((finite - low) / width).long().clamp_(0, BINS - 1)
    place = torch.where(is_finite, place, BINS)
    nothing = torch.zeros(len(v), BINS + 1, dtype=v.dtype, device=v.device)
    # Relative to the likeliest token of the bin, so that unlikely bins are not rounded away.
    top = (nothing - torch.inf).scatter_reduce_(-1, place, log_ref, "amax")
    relative = (log_ref - torch.where(top == -torch.inf, 0.0, top).gather(-1, place)).exp_()
    mass, worth = (nothing.scatter_add(-1, place, x) for x in (relative, relative * finite))
    mean = worth / mass.clamp(min=torch.finfo(mass.dtype).tiny)
    mean[:, BINS] = torch.inf
    return top + mass.log(), mean
