"""From a policy's logits to released log-probabilities, also where teacher and proxy share only some tokens."""

from dataclasses import dataclass

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

    def kl(self) -> torch.Tensor:
        """KL(released‖reference) in nats, shape (B,)."""
        # Where the released probability is zero the term is zero, also against a reference of zero.
        terms = self.released.exp() * (self.released - self.reference)
        return torch.where(self.released == -torch.inf, 0.0, terms).sum(-1)


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
        return torch.log_softmax(logits / temperature, -1)
    greedy = torch.full_like(logits, -torch.inf)
    return greedy.scatter_(-1, logits.argmax(-1, keepdim=True), 0.0)
