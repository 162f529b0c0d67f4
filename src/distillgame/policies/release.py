"""The released distribution of a policy, also where teacher and proxy share only some tokens."""

from dataclasses import dataclass, replace

import torch

from distillgame.policies.base import Experts, ReleasePolicy
from distillgame.policies.distribution import Distribution, Scratch, join


@dataclass(frozen=True)
class Release:
    """The distributions of one decoding step, after temperature and before top-p and top-k.

    Attributes:
        reference: Distributions of the reference teacher, B rows over V tokens.
        released: Distributions of the released teacher; the same object if the policy is neutral.
        kl: KL(released‖reference) in nats, shape (B,); nan at temperature 0.
        kl_reverse: KL(reference‖released) in nats, shape (B,); infinite where the policy rules out a possible token.
    """

    reference: Distribution
    released: Distribution
    kl: torch.Tensor
    kl_reverse: torch.Tensor


@torch.no_grad()
def release(policy: ReleasePolicy, experts: Experts, shared: torch.Tensor | None = None) -> Release:
    """Apply ``policy`` at the experts' temperature.

    With a partly shared vocabulary the mass outside the shared set S is exactly the teacher's (after temperature);
    within S the policy acts on the conditional distributions, both renormalised on S.

    Args:
        policy: The release policy.
        experts: The teacher's logits over its whole vocabulary; proxies and deltas over the shared tokens only.
        shared: Ids of the shared tokens, shape (S,), or None where all are shared.
    """
    temperature = experts.temperature
    teacher = experts.teacher
    if policy.is_neutral(temperature):
        reference = Distribution(teacher, temperature)
        nothing = torch.full_like(teacher[:, 0], 0.0 if temperature > 0 else torch.nan)
        return Release(reference, reference, nothing, nothing)
    ours, theirs = Scratch(teacher), Scratch(teacher)
    portions = list(ours.portions())
    logits = torch.empty_like(teacher) if len(portions) > 1 else teacher
    parts = []
    for rows in portions:
        some = experts if len(portions) == 1 else experts.rows(rows)
        after = _released(policy, some, shared)
        if len(portions) > 1:
            logits[rows] = after
        else:
            logits = after
        parts.append(_compare(after, some.teacher, temperature, ours, theirs))
    top, sums, reference_top, reference_sums, ahead, behind = join(parts)
    released = Distribution(logits, temperature, (top, sums))
    reference = Distribution(teacher, temperature, (reference_top, reference_sums))
    if temperature == 0:
        nothing = torch.full_like(ahead, torch.nan)
        return Release(reference, released, nothing, nothing)
    # Not the difference of two normalisers, which are large numbers at a low temperature.
    offset = ((top - reference_top) / temperature + (released.total / reference.total).log()).squeeze(-1)
    forward = ahead / (temperature * released.total.squeeze(-1)) - offset
    backward = offset - behind / (temperature * reference.total.squeeze(-1))
    sound = (forward + backward).isfinite()
    if not sound.all():
        forward = torch.where(sound, forward, _with_zeros(released, reference))
        backward = torch.where(sound, backward, _with_zeros(reference, released))
    return Release(reference, released, forward.clamp_(min=0), backward.clamp_(min=0))


def _compare(
    released: torch.Tensor, reference: torch.Tensor, temperature: float, ours: Scratch, theirs: Scratch
) -> tuple[torch.Tensor, ...]:
    """Return ``top`` and ``sums`` of both, and the difference of their logits weighted by either, (n,) each."""
    top, sums, weights = ours.weigh(released, temperature)
    reference_top, reference_sums, reference_weights = theirs.weigh(reference, temperature)
    if temperature == 0:
        return top, sums, reference_top, reference_sums, top[:, 0], top[:, 0]
    ahead = torch.sub(released, reference)
    return (
        top, sums, reference_top, reference_sums,
        weights.mul_(ahead).sum(-1), reference_weights.mul_(ahead).sum(-1),
    )  # fmt: skip


def _with_zeros(ours: Distribution, theirs: Distribution) -> torch.Tensor:
    """Return KL(ours‖theirs) when some probabilities are zero, shape (B,)."""
    probabilities = ours.probabilities
    # A probability of zero contributes nothing, also against another zero, whose log-ratio is not a number.
    return torch.where(probabilities == 0, 0.0, probabilities * (ours.logprobs - theirs.logprobs)).sum(-1)


def _released(policy: ReleasePolicy, experts: Experts, shared: torch.Tensor | None) -> torch.Tensor:
    """Return released logits before temperature over the teacher's tokens, shape (B, V)."""
    if shared is None:
        return policy.logits(experts)
    temperature, inside = experts.temperature, experts.select(shared)
    conditional = replace(inside, teacher=torch.log_softmax(inside.teacher, -1))
    within = Distribution(policy.logits(conditional), temperature)
    logits = experts.teacher.clone()
    if temperature > 0:
        mass = Distribution(inside.teacher, temperature).normaliser
        logits[:, shared] = (within.logprobs + mass) * temperature
    else:
        # The policy's choice among the shared tokens stands for the likeliest of them.
        top = inside.teacher.amax(-1, keepdim=True)
        chosen = within.probabilities
        logits[:, shared] = torch.where(chosen == 0, -torch.inf, top * chosen)
    return logits
