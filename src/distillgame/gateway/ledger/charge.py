"""What a release costs: tokens, KL and value, none of which an output can refund."""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Charge:
    """What some released tokens cost.

    Attributes:
        tokens: How many.
        kl: Sum over steps of KL(pi_rel‖pi_ref) in nats, each at least 0; None where it was not measured.
        value: Sum over tokens of max(v_gap, 0) in nats; None where it was not measured.
        unvalued: Tokens that have no value because no proxy shares them.
    """

    tokens: int = 0
    kl: float | None = 0.0
    value: float | None = 0.0
    unvalued: int = 0

    def __add__(self, other: "Charge") -> "Charge":
        return Charge(
            self.tokens + other.tokens,
            _sum(self.kl, other.kl),
            _sum(self.value, other.value),
            self.unvalued + other.unvalued,
        )

    def within(self, other: "Charge") -> bool:
        """Whether ``other`` covers this."""
        pairs = [(self.kl, other.kl), (self.value, other.value)]
        return self.tokens <= other.tokens and all((a or 0.0) <= (b or 0.0) for a, b in pairs)


NOTHING = Charge()
"""Nothing was released."""


def charge(tokens: int, kl: Sequence[float], values: Sequence[float]) -> Charge:
    """What ``tokens`` tokens cost.

    Args:
        tokens: How many.
        kl: KL of each step, empty where it was not measured.
        values: v_gap of each token, empty where it was not measured, nan where the token has none.
    """
    known = [max(value, 0.0) for value in values if not math.isnan(value)]
    return Charge(
        tokens,
        math.fsum(max(step, 0.0) for step in kl) if len(kl) == tokens else None,
        math.fsum(known) if len(values) == tokens else None,
        len(values) - len(known) if len(values) == tokens else 0,
    )


def _sum(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else a + b
