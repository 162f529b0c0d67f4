"""Who may, under which policy: keys, tiers, flags, limits and the day's budget."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass

from distillgame.gateway.access.authentication import Keyring
from distillgame.gateway.access.flagged import Flags
from distillgame.gateway.access.rate_limits import Limiter
from distillgame.gateway.api.jobs import Asked, Work, work_of
from distillgame.gateway.api.requests import ChatRequest
from distillgame.gateway.config.serve import ServeConfig
from distillgame.gateway.config.tiers import REFUSE, Budget, Tier, weakness
from distillgame.gateway.errors import ApiError, budget_exhausted
from distillgame.gateway.ledger.keys import Key
from distillgame.gateway.ledger.lease_sizes import Rates
from distillgame.gateway.ledger.leases import (
    Lease,
    Ledger,
    Offer,
    OverBudgetError,
    Party,
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
            code = "invalid_api_key" if presented else "no_api_key"
            raise ApiError(401, message, code=code, challenge=challenge)
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
        works = {name: self._work(asked, name) for name, _ in chain}
        first = works[chain[0][0]]
        if isinstance(first, ApiError):
            raise first
        reserved = max(work.most_tokens for work in works.values() if isinstance(work, Work))
        self._limiter.admit(key.id, tier.limits, reserved)
        self._flags.see(key.owner, _texts(asked))
        party = Party(key.id, key.owner, str(key.tier))
        offers = [self._offer(key.owner, name, works[name], budget) for name, budget in chain]
        try:
            lease = await self._ledger.open(party, request, offers)
        except OverBudgetError as error:
            self._limiter.settle(key.id, tier.limits, reserved, 0)
            raise budget_exhausted() from error
        except BaseException:
            self._limiter.settle(key.id, tier.limits, reserved, 0)
            raise
        policy = lease.offer.policy
        work = works[policy]
        if isinstance(work, ApiError):
            lease.settle("refused")
            self._limiter.settle(key.id, tier.limits, reserved, 0)
            raise work
        return Admitted(key, tier, policy, work, lease, reserved)

    def settle(self, admitted: Admitted, outcome: str) -> None:
        """Close a request's account."""
        lease, owner = admitted.lease, admitted.key.owner
        lease.settle(outcome)
        self._rates.learn(owner, admitted.policy, lease.released)
        used = lease.prompt_tokens + lease.sampled
        if outcome in ("cancelled", "timeout"):
            # How much was sampled by then nobody has said: work that is thrown away is work all the same.
            used = max(used, admitted.reserved)
        self._limiter.settle(admitted.key.id, admitted.tier.limits, admitted.reserved, used)

    def _work(self, asked: Asked, policy: str) -> Work | ApiError:
        """What a request comes to under a policy, or why it is refused there; it may not come to that policy."""
        try:
            return work_of(asked, policy, self._config, self._secret)
        except ApiError as error:
            return error

    def _offer(self, owner: str, policy: str, work: Work | ApiError, budget: Budget | None) -> Offer:
        lengths = [] if isinstance(work, ApiError) else [job.params.max_new_tokens for job in work.jobs]
        label = self._config.policies[policy].release.label
        return Offer(policy, label, self._rates.lease(owner, policy, lengths), budget)

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
        policy = tier.policy
        if tier.flagged is not None and self._flags.has(key.owner):
            policy = tier.flagged
            if beyond is not None and weakness(self._config.served(policy), self._config.served(beyond)) is not None:
                beyond = policy
        return [(policy, tier.budget), *([] if beyond is None else [(beyond, None)])]


def _presented(header: str) -> str:
    scheme, _, rest = header.partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(rest, validate=True).decode().partition(":")[2]
        except ValueError:
            return ""
    return ""


def _texts(asked: Asked) -> list[str]:
    """What the campaign monitor reads: prompts, and of a conversation all that is not the assistant's."""
    if isinstance(asked, ChatRequest):
        said = [message.plain() for message in asked.messages]
        return ["\n".join(message["content"] for message in said if message["role"] != "assistant")]
    return asked.prompts
