"""How large a lease is: by what tokens have cost so far. Charges never depend on it."""

from distillgame.gateway.ledger.charge import Charge
from distillgame.gateway.ledger.leases import LEASE_TOKENS

FIRST_GUESS = (0.1, 0.25)
"""KL and value that a token is taken to cost before any was released, in nats."""

MARGIN = 2.0
"""A lease is this many times what its tokens cost on average."""

REMEMBERED = 0.98
"""Weight of the past in that average, a request."""

MOST = 100_000
"""Averages that are kept."""


class Rates:
    """What a token costs on average, by owner and policy: one customer's odd prompts are no other's lease."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], tuple[float, float]] = {}

    def lease(self, owner: str, policy: str, lengths: list[int]) -> Charge:
        """What is leased at first for completions of at most these lengths."""
        tokens = sum(min(length, LEASE_TOKENS) for length in lengths)
        kl, value = self._known.get((owner, policy), FIRST_GUESS)
        return Charge(tokens, MARGIN * kl * tokens, MARGIN * value * tokens)

    def learn(self, owner: str, policy: str, spent: Charge) -> None:
        """Take in what a request came to."""
        if not spent.tokens:
            return
        if len(self._known) >= MOST:
            self._known.clear()
        known = self._known.get((owner, policy), FIRST_GUESS)
        new = ((spent.kl or 0.0) / spent.tokens, (spent.value or 0.0) / spent.tokens)
        kl, value = (REMEMBERED * a + (1 - REMEMBERED) * b for a, b in zip(known, new, strict=True))
        self._known[owner, policy] = (kl, value)
