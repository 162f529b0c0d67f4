"""What a release policy is: a pure function from the experts' logits to the released logits."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch

from distillgame.errors import DistillgameError
from distillgame.registry import Registry


@dataclass(frozen=True)
class Experts:
    """What the experts say about the next token of B sequences, over one vocabulary of V tokens.

    Attributes:
        teacher: The reference teacher's logits before temperature, float32, shape (B, V).
        temperature: The sampling temperature of the reference teacher, 0 for greedy.
        proxy: The proxy's logits, aligned to the teacher's tokens, shape (B, V); only where the policy needs them.
        delta: Derivative of the proxy's log-probabilities along +g, the unit-norm gradient of the defender's
            objective, shape (B, V); only where the policy needs it.
        keys: One integer per sequence and position from which a policy may draw randomness, length B.
    """

    teacher: torch.Tensor
    temperature: float
    proxy: torch.Tensor | None = None
    delta: torch.Tensor | None = None
    keys: tuple[int, ...] = ()

    def select(self, tokens: torch.Tensor) -> "Experts":
        """The same experts with the teacher's logits restricted to ``tokens``; the others are restricted already."""
        return Experts(self.teacher[:, tokens], self.temperature, self.proxy, self.delta, self.keys)

    def rows(self, rows: slice | torch.Tensor) -> "Experts":
        """The same experts on some of the sequences, a slice or indices of shape (R,)."""
        chosen = range(len(self.keys))[rows] if isinstance(rows, slice) else rows.tolist() if self.keys else ()
        return Experts(
            self.teacher[rows],
            self.temperature,
            None if self.proxy is None else self.proxy[rows],
            None if self.delta is None else self.delta[rows],
            tuple(self.keys[i] for i in chosen),
        )


class ReleasePolicy(ABC):
    """A defense. Knows no model, cache or batch.

    Temperature, top-p and top-k are applied to the result by the decoding engine, in one place.

    Attributes:
        name: The registered name.
        needs_proxy: Whether :attr:`Experts.proxy` is required.
        needs_delta: Whether :attr:`Experts.delta` is required.
        control: Whether the policy is a control rather than a defense anyone would deploy.
    """

    name: ClassVar[str]
    needs_proxy: ClassVar[bool] = False
    needs_delta: ClassVar[bool] = False
    control: ClassVar[bool] = False

    @property
    @abstractmethod
    def strength(self) -> Mapping[str, float]:
        """The parameters that say how hard the policy defends, by their published names."""

    @abstractmethod
    def logits(self, experts: Experts) -> torch.Tensor:
        """Return released logits before temperature, shape (B, V)."""

    def draft(self, experts: Experts) -> torch.Tensor:
        """Return logits that need no teacher and resemble the released ones, shape (B, V), for speculative decoding.

        They decide how many drafts are accepted, never what is released. By default it is what the policy would
        release if the teacher were the proxy.
        """
        assert experts.proxy is not None
        return self.logits(replace(experts, teacher=experts.proxy))


policies: Registry[ReleasePolicy] = Registry("policy", "distillgame.policies")


def make_policy(name: str, strength: Mapping[str, Any] | None = None) -> ReleasePolicy:
    """Make the policy called ``name`` with the given strength.

    Raises:
        DistillgameError: If the name, a parameter's name or its value is not acceptable.
    """
    return policies.make(name, strength or {})


def require_range(policy: str, parameter: str, value: float, low: float, high: float = float("inf")) -> None:
    """Check ``low <= value <= high`` for a finite number.

    Raises:
        DistillgameError: If it is not so.
    """
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not low <= value <= high or value == float("inf"):
        bounds = f"at least {low:g}" if high == float("inf") else f"between {low:g} and {high:g}"
        raise DistillgameError(f"policy '{policy}': {parameter} must be a number {bounds} (found {value!r})")
