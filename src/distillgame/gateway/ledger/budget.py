"""The daily leakage budget of an owner."""

from pydantic import Field

from distillgame.strict import Strict

REFUSE = "refuse"
"""Value of :attr:`Budget.beyond` with which nothing is served past the budget."""


class Budget(Strict):
    """The most that all keys of an owner together may leak per day (UTC).

    Attributes:
        kl_per_day: Sum over steps of KL(pi_rel‖pi_ref), in nats.
        value_per_day: Sum over tokens of max(v, 0), in nats.
        tokens_per_day: Released tokens.
        beyond: ``refuse``, or the policy that is served past the budget.
    """

    kl_per_day: float | None = Field(None, gt=0)
    value_per_day: float | None = Field(None, gt=0)
    tokens_per_day: int | None = Field(None, ge=1)
    beyond: str = REFUSE

    @property
    def is_measured(self) -> bool:
        """True if it limits KL or value, which only a distillgame engine measures."""
        return self.kl_per_day is not None or self.value_per_day is not None

    @property
    def fallback(self) -> str | None:
        """The policy that is served past the budget; None if requests are then refused."""
        return None if self.beyond == REFUSE else self.beyond
