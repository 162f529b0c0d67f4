"""From a policy's logits to released log-probabilities, also where teacher and proxy share only some tokens."""

from dataclasses import dataclass
from functools import cached_property

import torch

from distillgame.policies.base import Experts, ReleasePolicy


@dataclass(frozen=True)
class Release:
    """What one decoding step releases, after temperature and before top-p and top-k.

    Attributes:
        reference: Log-probabilities of the reference teacher, shape (B, V).
        released: Log-probabilities of the released teacher, shape (B, V).
    """

    reference: torch.Tensor
    released: torch.Tensor

    @cached_property
    def probabilities(self) -> torch.Tensor:
        """Probabilities of the released teacher, shape (B, V)."""
        return self.released.exp()

    def kl(self) -> torch.Tensor:
        """KL(released‖reference) in nats, shape (B,)."""
        return self._divergences[0]

    def kl_reverse(self) -> torch.Tensor:
        """KL(reference‖released) in nats, shape (B,); infinite where the policy rules out a possible token."""
        return self._divergences[1]

    @cached_property
    def _divergences(self) -> tuple[torch.Tensor, torch.Tensor]:
        if self.released is self.reference:
            zero = self.released.new_zeros(self.released.shape[0])
            return zero, zero
        # Each pass over a large vocabulary costs time, so the log-ratios are formed once.
        ratio = self.released - self.reference
        forward = (self.probabilities * ratio).sum(-1)
        backward = -(self.reference.exp().mul_(ratio)).sum(-1)
        if (forward + backward).isfinite().all():
            return forward, backward
        # A probability of zero contributes nothing, also against another zero, whose log-ratio is not a number.
        return tuple(
            torch.where(ours == -torch.inf, 0.0, sign * ours.exp() * ratio).sum(-1)
            for ours, sign in ((self.released, 1), (self.reference, -1))
        )  # type: ignore[return-value]


def release(policy: ReleasePolicy, experts: Experts, shared: torch.Tensor | None = None) -> Release:
    """Apply ``policy`` at the experts' temperature.

    With a partly shared vocabulary the mass outside the shared set S is exactly the teacher's (after temperature);
    within S the policy acts on the conditional distributions, both renormalised on S.

    Args:
        policy: The release policy.
        experts: The teacher's logits over its whole vocabulary; proxy and delta over the shared tokens only.
        shared: Ids of the shared tokens, shape (S,), or None where all are shared.

    Returns:
        Normalised log-probabilities. At temperature 0 they are one-hot at the policy's choice and the KL means nothing.
    """
    if shared is None:
        reference = _tempered(experts.teacher, experts.temperature)
        logits = policy.logits(experts)
        return Release(reference, reference if logits is experts.teacher else _tempered(logits, experts.temperature))
    reference = _tempered(experts.teacher, experts.temperature)
    inside = experts.select(shared)
    conditional = Experts(
        torch.log_softmax(inside.teacher, -1), inside.temperature, inside.proxy, inside.delta, inside.keys
    )
    mass = torch.logsumexp(reference[:, shared], -1, keepdim=True)
    released = reference.clone()
    released[:, shared] = _tempered(policy.logits(conditional), experts.temperature) + mass
    return Release(reference, released)


def _tempered(logits: torch.Tensor, temperature: float) -> torch.Tensor:
    if temperature > 0:
        return torch.log_softmax(logits if temperature == 1 else logits / temperature, -1)
    top, choice = logits.max(-1, keepdim=True)
    # Zero times infinity or not-a-number is not a number, so that broken logits show here as they do above.
    return torch.full_like(logits, -torch.inf).scatter_(-1, choice, top * 0)
