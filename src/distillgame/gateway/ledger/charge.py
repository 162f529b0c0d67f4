"""The cost of a release: tokens, KL and value, none of which an output can refund."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

MOST = 10_000_000
"""Largest amount that another server may report for a chunk; a database does not hold every number."""


@dataclass(frozen=True)
class Charge:
    """The cost of some released tokens.

    Attributes:
        tokens: Number of tokens.
        kl: Sum over steps of KL(pi_rel‖pi_ref) in nats, each at least 0; None if it was not measured.
        value: Sum over tokens of max(v_gap, 0) in nats; None if it was not measured.
        unvalued: Tokens that have no value because no proxy shares them.
    """

    tokens: int = 0
    kl: float | None = 0.0
    value: float | None = 0.0
    unvalued: int = 0

    @classmethod
    def measure(cls, tokens: int, kl: Sequence[float], values: Sequence[float]) -> "Charge":
        """Return the cost of ``tokens`` tokens.

        Args:
            tokens: Number of tokens.
            kl: KL of each step; empty if it was not measured.
            values: v_gap of each token; empty if it was not measured, nan for tokens without a value.
        """
        known = [max(value, 0.0) for value in values if not math.isnan(value)]
        return cls(
            tokens,
            math.fsum(max(step, 0.0) for step in kl) if len(kl) == tokens else None,
            math.fsum(known) if len(values) == tokens else None,
            len(values) - len(known) if len(values) == tokens else 0,
        )

    @classmethod
    def from_report(cls, data: Any) -> "Charge | None":
        """Parse what :meth:`report` made; None if it is missing or malformed."""
        if not isinstance(data, dict):
            return None
        tokens: Any = data.get("tokens")
        unvalued: Any = data.get("unvalued", 0)
        kl, value = data.get("kl"), data.get("value")
        whole = all(type(count) is int and 0 <= count <= MOST for count in (tokens, unvalued))
        finite = all(amount is None or (type(amount) in (int, float) and 0 <= amount <= MOST) for amount in (kl, value))
        return cls(tokens, kl, value, unvalued) if whole and finite else None

    def report(self) -> dict[str, Any]:
        """Return the JSON in which one distillgame server tells another what a chunk costs."""
        return asdict(self)

    def __add__(self, other: "Charge") -> "Charge":
        return Charge(
            self.tokens + other.tokens,
            _sum(self.kl, other.kl),
            _sum(self.value, other.value),
            self.unvalued + other.unvalued,
        )

    def within(self, other: "Charge") -> bool:
        """Return whether ``other`` covers this charge."""
        pairs = [(self.kl, other.kl), (self.value, other.value)]
        return self.tokens <= other.tokens and all((a or 0.0) <= (b or 0.0) for a, b in pairs)


NOTHING = Charge()
"""The cost of releasing nothing."""


def _sum(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else a + b
