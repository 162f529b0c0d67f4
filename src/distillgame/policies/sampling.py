"""Policies of the teacher alone: the reference itself, and the same at another temperature."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from distillgame.policies.base import Experts, Knob, ReleasePolicy, policies, require_range


@policies.register("standard")
@dataclass(frozen=True)
class Standard(ReleasePolicy):
    """The undefended teacher: pi_rel = pi_ref."""

    name = "standard"

    @property
    def strength(self) -> Mapping[str, float]:
        """Empty: there is nothing to set."""
        return {}

    def logits(self, experts: Experts) -> torch.Tensor:
        """Return the teacher's logits."""
        return experts.teacher


@policies.register("temperature")
@dataclass(frozen=True)
class Temperature(ReleasePolicy):
    """The teacher sampled at ``temperature`` instead of the reference's own.

    The KL to the reference is to the teacher at the *reference* temperature. Greedy decoding has no temperature to
    replace and stays greedy.
    """

    temperature: float
    name = "temperature"
    knob = Knob("temperature", from_temperature=True)

    def __post_init__(self) -> None:
        require_range(self.name, "temperature", self.temperature, 1e-3)

    @property
    def strength(self) -> Mapping[str, float]:
        """The released temperature."""
        return {"temperature": self.temperature}

    def logits(self, experts: Experts) -> torch.Tensor:
        """Return logits that have the released temperature once the engine divides by the reference's."""
        if experts.temperature == 0:
            return experts.teacher
        return experts.teacher * (experts.temperature / self.temperature)
