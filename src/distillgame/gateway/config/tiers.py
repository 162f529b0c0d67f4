"""Tiers, which keys are bound to."""

from pydantic import Field

from distillgame.choices import NamedChoice
from distillgame.gateway.ledger import Budget
from distillgame.strict import Strict


class Limits(Strict):
    """The most that a key may request per minute, in this process.

    Attributes:
        requests_per_minute: Requests.
        tokens_per_minute: Tokens of prompts and completions; while a request runs, all that it may still sample counts.
    """

    requests_per_minute: int | None = Field(None, ge=1)
    tokens_per_minute: int | None = Field(None, ge=1)


class Tier(Strict):
    """The service that the keys of a tier get.

    Attributes:
        policy: The policy.
        limits: Requests and tokens per minute, for each key.
        budget: Leakage per day, for each owner.
        flagged: The policy for owners whom the campaign monitor has flagged; ``policy`` if None.
        gateway: Whether its keys belong to a gateway of the same owner in front of this server: it names the policy
            itself, and is told what each chunk costs. Never for clients.
        mark: The mark on all that is released, under the key of the owner of each API key: ``keyed: {width: 4}`` or
            ``watermark: {delta: 1.0}``; none if None.
    """

    policy: str
    limits: Limits = Limits()
    budget: Budget | None = None
    flagged: str | None = None
    gateway: bool = False
    mark: NamedChoice | None = None

    def policies(self) -> dict[str, str]:
        """Return the names of its policies, by the field that names them."""
        fallback = None if self.budget is None else self.budget.fallback
        named = {"policy": self.policy, "flagged": self.flagged, "budget.beyond": fallback}
        return {where: name for where, name in named.items() if name is not None}
