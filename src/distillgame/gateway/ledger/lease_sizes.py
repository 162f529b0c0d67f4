"""The size of a lease, estimated from what tokens have cost so far. Charges never depend on it."""

from distillgame.gateway.ledger.charge import Charge

LEASE_TOKENS = 64
"""Most tokens that a lease covers per completion before it has to be extended."""

FIRST_GUESS = (0.1, 0.25)
"""KL and value that a token is assumed to cost before any was released, in nats."""

MARGIN = 2.0
"""Ratio of a lease to the average cost of its tokens."""

DECAY = 0.98
"""Weight of the past in that average, per request."""

MOST_AVERAGES = 100_000
"""Averages that are kept."""


class LeaseSizes:
    """Average cost of a token per owner and policy: one customer's odd prompts do not change another's leases."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], tuple[float, float]] = {}

    def first(self, owner: str, policy: str, lengths: list[int]) -> Charge:
        """Return the first lease for completions of at most ``lengths`` tokens."""
        tokens = sum(min(length, LEASE_TOKENS) for length in lengths)
        kl, value = self._known.get((owner, policy), FIRST_GUESS)
        return Charge(tokens, MARGIN * kl * tokens, MARGIN * value * tokens)

    def learn(self, owner: str, policy: str, spent: Charge) -> None:
        """Update the average with the cost of a settled request."""
        if not spent.tokens:
            return
        if len(self._known) >= MOST_AVERAGES:
            self._known.clear()
        known = self._known.get((owner, policy), FIRST_GUESS)
        new = ((spent.kl or 0.0) / spent.tokens, (spent.value or 0.0) / spent.tokens)
        kl, value = (DECAY * a + (1 - DECAY) * b for a, b in zip(known, new, strict=True))
        self._known[owner, policy] = (kl, value)
