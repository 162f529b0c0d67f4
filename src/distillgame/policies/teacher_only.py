"""Policies that need the teacher alone: the reference itself, and the reference at another temperature."""

from dataclasses import dataclass

import torch

from distillgame.policies.base import Experts, Knob, ReleasePolicy, policies, require_range


@policies.register("standard")
@dataclass(frozen=True)
class Standard(ReleasePolicy):
    """The undefended teacher: pi_rel = pi_ref."""

    name = "standard"

    def is_neutral(self, temperature: float) -> bool:
        """Return True."""
        return True

    def logits(self, experts: Experts) -> torch.Tensor:
        """Return the teacher's logits."""
        return experts.teacher


@policies.register("temperature")
@dataclass(frozen=True)
class Temperature(ReleasePolicy):
    """The teacher sampled at ``temperature`` instead of the reference's own.

    The KL to the reference is to the teacher at the *reference* temperature. Greedy decoding has no temperature to
    replace and stays greedy.

    Args:
        temperature: The released temperature.
    """

    temperature: float
    name = "temperature"
    knob = Knob("temperature", from_temperature=True)

    def __post_init__(self) -> None:
        require_range(self.name, "temperature", self.temperature, 1e-3)

    def is_neutral(self, temperature: float) -> bool:
        """Return whether the teacher has the released temperature already, or is greedy."""
        return temperature in (0, self.temperature)

    def logits(self, experts: Experts) -> torch.Tensor:
        """Return logits that have the released temperature once the engine divides by the reference's."""
        if self.is_neutral(experts.temperature):
            return experts.teacher
        return experts.teacher * (experts.temperature / self.temperature)
