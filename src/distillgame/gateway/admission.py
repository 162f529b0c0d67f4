"""Who may, under which policy: keys, tiers, flags, limits and the day's budget."""

import base64
import binascii
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass

from distillgame.gateway.asking import Asked, Work, work_of
from distillgame.gateway.charges import Charge
from distillgame.gateway.config import ServeConfig
from distillgame.gateway.errors import ApiError
from distillgame.gateway.flags import Flags
from distillgame.gateway.keyring import Keyring
from distillgame.gateway.keys import Key
from distillgame.gateway.ledger import (
    LEASE_TOKENS,
    Lease,
    Ledger,
    Offer,
    OverBudgetError,
    Party,
    seconds_to_next_day,
)
from distillgame.gateway.limits import Limiter
from distillgame.gateway.tiers import REFUSE, Budget, Tier
from distillgame.gateway.wire import ChatRequest

FIRST_GUESS = Charge(1, 0.1, 0.25)
"""What a token is taken to cost before a policy has released any, tokens aside."""

MARGIN = 2.0
"""A lease is this many times what its tokens cost on average."""

REMEMBERED = 0.98
"""Weight of the past in that average, a request."""


class Rates:
    """What a token of each policy costs on average: leases are made by it, never charges."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, float]] = {}

    def lease(self, policy: str, tokens: int) -> Charge:
        """What is leased for some tokens."""
        kl, value = self._known.get(policy, (FIRST_GUESS.kl or 0.0, FIRST_GUESS.value or 0.0))
        return Charge(tokens, MARGIN * kl * tokens, MARGIN * value * tokens)

    def learn(self, policy: str, spent: Charge) -> None:
        """Take in what a request came to."""
        if spent.tokens:
            kl, value = self._known.get(policy, (FIRST_GUESS.kl or 0.0, FIRST_GUESS.value or 0.0))
            new = ((spent.kl or 0.0) / spent.tokens, (spent.value or 0.0) / spent.tokens)
            self._known[policy] = (
                REMEMBERED * kl + (1 - REMEMBERED) * new[0],
                REMEMBERED * value + (1 - REMEMBERED) * new[1],
            )


@dataclass
class Admitted:
    """A request that may be served.

    Attributes:
        key: Who asked.
        tier: The key's tier.
        policy: The policy that it is served under.
        work: Its jobs.
        lease: Its account.
        reserved: Tokens that were taken from the key's minute.
    """

    key: Key
    tier: Tier
    policy: str
    work: Work
    lease: Lease
    reserved: int


class Admission:
    """Decides on every request.

    Args:
        config: The owner's configuration.
        keyring: Finds keys.
        ledger: Opens leases.
        flags: Owners who look like harvesting.
        secret: Keys the random streams.
    """

    def __init__(self, config: ServeConfig, keyring: Keyring, ledger: Ledger, flags: Flags, secret: bytes):
        self._config, self._keyring, self._ledger, self._flags = config, keyring, ledger, flags
        self._secret = secret
        self._limiter = Limiter()
        self._rates = Rates()

    async def identify(self, headers: Mapping[str, str], admin: bool = False) -> Key:
        """Find who asks.

        Args:
            headers: The request's; ``Authorization`` is a bearer key, or Basic with the key as the password.
            admin: Whether it has to be an admin key, or must not be one.

        Raises:
            ApiError: 401 without a valid key, 403 with one of the other kind.
        """
        presented = _presented(headers.get("authorization", ""))
        key = await self._keyring.find(presented) if presented else None
        if key is None:
            message = "no API key: send 'Authorization: Bearer KEY'" if not presented else "the API key is not valid"
            # Browsers ask for a password where the owner's pages are.
            challenge = 'Basic realm="distillgame"' if admin else "Bearer"
            raise ApiError(401, message, code="invalid_api_key", challenge=challenge)
        if key.admin != admin:
            message = "this needs an admin key" if admin else "an admin key serves no completions"
            raise ApiError(403, message, code="wrong_kind_of_key")
        if not admin and key.tier not in self._config.tiers:
            raise ApiError(403, f"the key's tier '{key.tier}' is not served here", code="unknown_tier")
        return key

    async def admit(self, key: Key, asked: Asked, request: str) -> Admitted:
        """Choose the policy, count the request and open its lease.

        Args:
            key: Who asks.
            asked: What.
            request: The request's id.

        Raises:
            ApiError: 400, 404 or 429.
        """
        if asked.model != self._config.model:
            raise ApiError(
                404, f"the model '{asked.model[:100]}' does not exist; there is '{self._config.model}'",
                code="model_not_found", param="model",
            )  # fmt: skip
        tier = self._config.tiers[str(key.tier)]
        chain = self._chain(key, tier, asked)
        works = {name: work_of(asked, name, self._config, self._secret) for name, _ in chain}
        reserved = max(work.most_tokens for work in works.values())
        self._limiter.admit(key.id, tier.limits, reserved)
        self._flags.see(key.owner, _text(asked))
        offers = [
            Offer(name, self._config.policies[name].release.label, self._lease(name, works[name]), budget)
            for name, budget in chain
        ]
        party = Party(key.id, key.owner, str(key.tier))
        try:
            lease = await self._ledger.open(party, request, offers)
        except OverBudgetError as error:
            self._limiter.settle(key.id, tier.limits, reserved, 0)
            wait = seconds_to_next_day(time.time())
            raise ApiError(
                429, "the leakage budget of this key's owner is spent for today (UTC)", code="budget_exhausted",
                retry_after=math.ceil(wait),
            ) from error  # fmt: skip
        except BaseException:
            self._limiter.settle(key.id, tier.limits, reserved, 0)
            raise
        policy = lease.offer.policy
        return Admitted(key, tier, policy, works[policy], lease, reserved)

    def settle(self, admitted: Admitted, outcome: str) -> None:
        """Close a request's account."""
        lease = admitted.lease
        lease.settle(outcome)
        self._rates.learn(admitted.policy, lease.released)
        used = lease.prompt_tokens + lease.released.tokens
        self._limiter.settle(admitted.key.id, admitted.tier.limits, admitted.reserved, used)

    def _chain(self, key: Key, tier: Tier, asked: Asked) -> list[tuple[str, Budget | None]]:
        """Policies under which the key may be served with the budget that each needs, in order."""
        if asked.distillgame is not None:
            if not tier.gateway:
                raise ApiError(
                    400, "'distillgame': the policy is the owner's", code="invalid_request", param="distillgame"
                )
            if asked.distillgame.policy not in self._config.policies:
                raise ApiError(400, "'distillgame.policy': unknown policy", code="unknown_policy", param="distillgame")
            return [(asked.distillgame.policy, tier.budget)]
        beyond = None if tier.budget is None or tier.budget.beyond == REFUSE else tier.budget.beyond
        if tier.flagged is not None and self._flags.has(key.owner):
            return [(tier.flagged, tier.budget if beyond is None else None)]
        return [(tier.policy, tier.budget), *([] if beyond is None else [(beyond, None)])]

    def _lease(self, policy: str, work: Work) -> Charge:
        return self._rates.lease(policy, sum(min(job.params.max_new_tokens, LEASE_TOKENS) for job in work.jobs))


def _presented(header: str) -> str:
    scheme, _, rest = header.partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(rest, validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return ""


def _text(asked: Asked) -> str:
    """What the campaign monitor reads: what the client wrote last."""
    if isinstance(asked, ChatRequest):
        return asked.messages[-1].plain()["content"]
    return "\n".join(asked.prompts)
