"""The red–green watermark (Kirchenbauer et al., "A Watermark for Large Language Models")."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from distillgame.errors import DistillgameError
from distillgame.policies.base import Experts, Knob, policies, require_range
from distillgame.policies.marks.base import MarkPolicy
from distillgame.policies.seeds import Seeds


@policies.register("watermark")
@dataclass(frozen=True)
class Watermark(MarkPolicy):
    """log pi + delta on green tokens, where the log-probabilities are those *after* temperature.

    Each token is green with probability ``green``, independently, by the key's number for it in its context. At
    temperature tau the logits move by tau·delta, as a tilt of ADS does; greedy decoding is not touched.

    Args:
        delta: The option ``delta``: by how much the log-probability of a green token is raised.
        green: The share of green tokens.
    """

    delta: float = 1.0
    green: float = 0.5
    name = "watermark"
    knob: ClassVar[Knob | None] = Knob("delta", first=0.5)

    def __post_init__(self) -> None:
        super().__post_init__()
        require_range(self.name, "delta", self.delta, 0)
        require_share(self.name, self.green)

    def is_neutral(self, temperature: float) -> bool:
        """Return whether neither the mark nor the policy under it changes anything."""
        return (self.delta == 0 or temperature == 0) and self.inner.is_neutral(temperature)

    def tilted(self, logits: torch.Tensor, experts: Experts) -> torch.Tensor:
        """Return logits that are raised for green tokens."""
        if self.delta == 0 or experts.temperature == 0 or experts.seeds is None:
            return logits
        lists = green_tokens(experts.seeds, logits.shape[-1], self.green)
        return torch.add(logits, lists.to(logits.dtype), alpha=experts.temperature * self.delta)


def green_tokens(seeds: Seeds, size: int, share: float) -> torch.Tensor:
    """Return which tokens are green at each position, bool, shape (N, size)."""
    return seeds.numbers(size) < share


def require_share(policy: str, share: float) -> None:
    """Check the share of green tokens.

    Raises:
        DistillgameError: If it is not above 0 and below 1.
    """
    if not 0 < share < 1:
        raise DistillgameError(f"policy '{policy}': green must be above 0 and below 1 (found {share!r})")
