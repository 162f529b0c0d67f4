"""The double-exponential tilt: what a teacher releases that has anticipated an adaptive student (DESIGN, section 2).

For each row, pi_rel ∝ pi_ref · exp(-kappa · exp(eta·v)/Z) with Z = E exp(eta·v) under pi_rel itself. Writing
Z = exp(eta·w), the tilt is kappa · expm1(eta·(v - w)) up to a constant, which keeps its digits where eta is tiny, and
w is a stationary point of

    h(w) = kappa·eta·w - log E_ref exp(-kappa · expm1(eta·(v - w))),

whose minimum over w is the minimum over all pi of kappa · log E_pi exp(eta·v) + KL(pi‖pi_ref), because
log E = min over Z of E/Z + log Z - 1. There may be several stationary points (of two tokens, keep the valuable one or
drop it); the lowest is the teacher's choice.
"""

import math

import torch

BOUND = 1e4
"""Largest tilt in nats, so that all tokens stay finite."""

BINS = 128
"""Tokens of about the same value count as one while the minimum is looked for, in vocabularies that are larger."""

GRID, ZOOMS = 25, 2
"""Points at which h is looked at, and how often: first everywhere, then around the best."""

STEPS, SLOPE, ENOUGH = 5, 0.1, 3e-6
"""Newton steps over the whole vocabulary, the least slope that is believed, and how far Z may be off, relatively."""


def anticipated(log_ref: torch.Tensor, v: torch.Tensor, eta: float, kappa: float) -> torch.Tensor:
    """Log-probabilities of the teacher that has anticipated the student, up to a constant a row, float32.

    Args:
        log_ref: log pi_ref, normalised, shape (B, V); tokens of probability zero keep it.
        v: What tokens are worth, shape (B, V); infinity is allowed.
        eta: The student's tilt, at least 0.
        kappa: The teacher's, at least 0; kappa·eta is gamma (PoE) or lambda (ADS) in the limit of a small eta.

    Returns:
        Shape (B, V).
    """
    if eta == 0 or kappa == 0:
        return log_ref
    v = torch.where(log_ref == -torch.inf, 0.0, v)
    w = _lowest(log_ref, v, eta, kappa)
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
        step = mean.log1p() / eta / (1 - kappa * variance / (1 + mean)).clamp(min=SLOPE)
        w = torch.where(done, w, w + step)
    return log_ref - _tilt(v, w, eta, kappa)


def _tilt(v: torch.Tensor, w: torch.Tensor, eta: float, kappa: float) -> torch.Tensor:
    return (eta * (v - w)).clamp_(max=math.log1p(BOUND / kappa)).expm1_().mul_(kappa)


def _lowest(log_ref: torch.Tensor, v: torch.Tensor, eta: float, kappa: float) -> torch.Tensor:
    """Where h is lowest, about, shape (B, 1)."""
    possible = log_ref > -torch.inf
    low = v.masked_fill(~possible, torch.inf).amin(-1, keepdim=True)
    high = v.masked_fill(~possible | (v == torch.inf), -torch.inf).amax(-1, keepdim=True)
    # Where nothing has a finite value all values are alike, and any w will do.
    low, high = torch.where(low == torch.inf, 0.0, low), torch.where(high == -torch.inf, 0.0, high)
    if log_ref.shape[-1] > BINS:
        log_ref, v = _binned(log_ref, v, low, high)
    steps = torch.linspace(0, 1, GRID, device=v.device)
    for _ in range(ZOOMS):
        w = low + (high - low) * steps
        tilts = _tilt(v[:, None], w[..., None], eta, kappa)
        h = kappa * eta * w - torch.logsumexp(log_ref[:, None] - tilts, -1)
        best = h.argmin(-1, keepdim=True)
        low, high = w.gather(-1, (best - 1).clamp(min=0)), w.gather(-1, (best + 1).clamp(max=GRID - 1))
    return w.gather(-1, best)


def _binned(
    log_ref: torch.Tensor, v: torch.Tensor, low: torch.Tensor, high: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Log-probability and mean value by bins between two values, and of an infinite value, (B, bins + 1)."""
    is_finite = v < torch.inf
    finite = torch.where(is_finite, v, low)
    width = ((high - low) / BINS).clamp(min=torch.finfo(v.dtype).tiny)
    place = ((finite - low) / width).long().clamp_(0, BINS - 1)
    place = torch.where(is_finite, place, BINS)
    p = log_ref.exp()
    mass, worth = (torch.zeros_like(p[:, : BINS + 1]).scatter_add_(-1, place, x) for x in (p, p * finite))
    mean = worth / mass.clamp(min=torch.finfo(mass.dtype).tiny)
    mean[:, BINS] = torch.inf
    return mass.log(), mean
