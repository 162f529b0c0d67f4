"""Keyed sampling: a mark that leaves the released distribution as it is (Aaronson; Kuditipudi et al.)."""

from dataclasses import dataclass
from typing import ClassVar

from distillgame.policies.base import policies
from distillgame.policies.marks.base import MarkPolicy


@policies.register("keyed")
@dataclass(frozen=True)
class Keyed(MarkPolicy):
    """The policy under it, drawn by keyed races instead of random numbers.

    Over keys every draw follows the released distribution exactly, after temperature and truncation. A context that
    occurred before, in the prompt or the completion, is drawn with the request's own random numbers, so that all
    draws of a completion are independent over keys. Across completions a context repeats its race: where two
    completions of an owner, epoch and salt have the same last ``width`` tokens and the same released distribution,
    the same token follows. ``salts`` make that rarer, and the mark weaker. Greedy decoding is not touched.
    """

    width: int = 4
    name = "keyed"
    races: ClassVar[bool] = True
    once: ClassVar[bool] = True
    least_width: ClassVar[int] = 1

    def is_neutral(self, temperature: float) -> bool:
        """Return whether the policy under it changes nothing."""
        return self.inner.is_neutral(temperature)
