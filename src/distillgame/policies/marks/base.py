"""A policy that marks what another policy releases."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import torch
from pydantic import ValidationError

from distillgame.errors import DistillgameError
from distillgame.policies.base import Experts, ReleasePolicy
from distillgame.policies.choices import PolicyChoice
from distillgame.policies.seeds import Marking, owner_key

MOST_SALTS = 4096
"""A test looks at every salt of every context."""

NEITHER = ("on", "owner", "epoch", "secret", "through")
"""Fields that do not say how hard a mark is pressed on the text."""


@dataclass(frozen=True)
class MarkPolicy(ReleasePolicy):
    """A mark on top of a release policy.

    On a server the key is that of the owner of the request. Elsewhere, in games, it follows from the options.

    Args:
        width: Number of tokens before a position that its mark depends on.
        on: The policy that is marked, as in ``{poe: {gamma: 0.4}}``.
        owner: Whose mark it is.
        epoch: The epoch of the owner's key.
        secret: The secret from which keys follow.
        salts: Number of different marks per context, of which each request carries one.
    """

    width: int = 2
    on: Mapping[str, Any] | str = "standard"
    owner: str = "owner"
    epoch: int = 0
    secret: str = "distillgame"
    salts: int = 1
    once: ClassVar[bool] = False
    unlabelled: ClassVar[tuple[str, ...]] = ("secret", "epoch")
    least_width: ClassVar[int] = 0

    def __post_init__(self) -> None:
        require_count(self.name, "width", self.width, self.least_width)
        require_count(self.name, "epoch", self.epoch, 0)
        require_count(self.name, "salts", self.salts, 1)
        if self.salts > MOST_SALTS:
            raise DistillgameError(f"policy '{self.name}': salts must be at most {MOST_SALTS} (found {self.salts})")
        if isinstance(self.inner, MarkPolicy):
            raise DistillgameError(f"policy '{self.name}': on: '{self.inner.name}' is a mark, too; marks do not add up")
        key = owner_key(self.secret.encode(), self.owner, self.epoch)
        taken = {
            "marking": Marking(key, self.width, self.salts, self.once),
            "needs_proxy": self.inner.needs_proxy,
            "needs_delta": self.inner.needs_delta,
            "proxies": self.inner.proxies,
            "combine": self.inner.combine,
        }
        for name, value in taken.items():
            object.__setattr__(self, name, value)

    @cached_property
    def inner(self) -> ReleasePolicy:
        """The policy that is marked.

        Raises:
            DistillgameError: If its name, an option's name or its value is not acceptable.
        """
        try:
            return PolicyChoice.model_validate(self.on).policy
        except ValidationError as error:
            raise DistillgameError(
                f"policy '{self.name}': on must name a policy, as in {{poe: {{gamma: 0.4}}}} (found {self.on!r})"
            ) from error

    @property
    def parameters(self) -> Mapping[str, float]:
        """The mark's numbers, and those of the policy under it."""
        own = {name: value for name, value in super().parameters.items() if name not in NEITHER}
        return own | {f"on_{name}": value for name, value in self.inner.parameters.items()}

    def logits(self, experts: Experts) -> torch.Tensor:
        """Return the marked policy's logits with the mark's tilt."""
        return self.tilted(self.inner.logits(experts), experts)

    def draft(self, experts: Experts) -> torch.Tensor:
        """Return the marked policy's draft with the mark's tilt, which needs no teacher."""
        return self.tilted(self.inner.draft(experts), experts)

    def tilted(self, logits: torch.Tensor, experts: Experts) -> torch.Tensor:
        """Return logits that lean towards the mark, shape (B, V); by default as they are."""
        return logits


def require_count(policy: str, parameter: str, value: int, least: int) -> None:
    """Check an option that is a count.

    Raises:
        DistillgameError: If it is below ``least``.
    """
    if isinstance(value, bool) or value < least:
        raise DistillgameError(f"policy '{policy}': {parameter} must be at least {least} (found {value!r})")
