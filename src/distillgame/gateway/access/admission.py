"""Admission: the policy under which a request is served, or its refusal."""

import time
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy import Connection

from distillgame.gateway.access.flagged import FlaggedOwners
from distillgame.gateway.access.rate_limits import RateLimiter, Reservation
from distillgame.gateway.api import ApiRequest, JobPlan, plan_jobs
from distillgame.gateway.backends import JobMark
from distillgame.gateway.config import ServeConfig, ServedPolicy, Tier, weakness
from distillgame.gateway.errors import ApiError, budget_exhausted
from distillgame.gateway.ledger import (
    Budget,
    EntryMark,
    Key,
    Lease,
    Ledger,
    OverBudgetError,
    Party,
    mark_key,
    mark_secret,
    stream_secret,
)

Chain = list[tuple[ServedPolicy, Budget | None]]
"""Policies under which a request may be served, in the order of preference, with the budget that has to cover each."""

Plans = dict[str, JobPlan | ApiError]
"""The jobs of a request under each policy, by name, or the reason why that policy refuses it."""


class OwnersMark(NamedTuple):
    """The mark of a request's owner: as it is sampled, and as the ledger writes it."""

    job: JobMark
    entry: EntryMark


@dataclass(frozen=True)
class Grant:
    """The permission to serve a request.

    Attributes:
        key: The key of the request.
        tier: The key's tier.
        policy: The policy under which it is served.
        plan: Its jobs.
        lease: Its account in the ledger.
        reservation: The tokens that it may use, taken from the key's rate limit.
    """

    key: Key
    tier: Tier
    policy: ServedPolicy
    plan: JobPlan
    lease: Lease
    reservation: Reservation


@dataclass(frozen=True)
class Secrets:
    """The secrets of a database, which never leave its servers.

    Attributes:
        streams: Key of the random streams.
        marks: The secret from which the keys of marks follow.
    """

    streams: bytes = field(repr=False)
    marks: bytes = field(repr=False)

    @classmethod
    def of(cls, connection: Connection) -> "Secrets":
        """Read them from a database, which is given those that it lacks."""
        return cls(stream_secret(connection), mark_secret(connection))


class Admission:
    """Admits requests.

    Args:
        config: The owner's configuration.
        ledger: Opens leases.
        flagged: Owners whose queries look like harvesting.
        secrets: The database's secrets.
    """

    def __init__(self, config: ServeConfig, ledger: Ledger, flagged: FlaggedOwners, secrets: Secrets):
        self._config, self._ledger, self._flagged, self._secrets = config, ledger, flagged, secrets
        self._limiter = RateLimiter()

    async def admit(self, key: Key, request: ApiRequest, request_id: str) -> Grant:
        """Choose the policy, count the request against the key's rate limit, and open its lease.

        Args:
            key: The key of the request.
            request: The request.
            request_id: Its id.

        Raises:
            ApiError: 400, 404 or 429.
        """
        if request.model != self._config.model:
            raise ApiError(
                404, f"the model '{request.model[:100]}' does not exist; there is '{self._config.model}'",
                code="model_not_found", param="model",
            )  # fmt: skip
        if self._flagged.reads and any(isinstance(prompt, tuple) for prompt in request.prompts):
            raise ApiError(
                400, "this server monitors what is asked and reads text for it: send the prompt as text, not token ids",
                code="invalid_request", param="prompt",
            )  # fmt: skip
        tier = self._config.tiers[str(key.tier)]
        chain = self._chain(key, tier, request)
        mark = self._mark(key)
        plans = {policy.name: self._plan(request, policy, mark) for policy, _ in chain}
        # The preferred policy has to allow the request; the other one may turn out not to be needed.
        _plan_of(plans, chain[0][0].name)
        most_tokens = max(plan.most_tokens for plan in plans.values() if isinstance(plan, JobPlan))
        reservation = self._limiter.admit(key.id, tier.limits, most_tokens)
        self._flagged.see(key.owner, request.client_texts)
        try:
            lease, plan = await self._open(key, request_id, chain, plans, mark)
        except BaseException:
            reservation.settle(0)
            raise
        return Grant(key, tier, self._config.served(lease.offer.policy), plan, lease, reservation)

    async def _open(
        self, key: Key, request_id: str, chain: Chain, plans: Plans, mark: OwnersMark | None
    ) -> tuple[Lease, JobPlan]:
        """Open the lease, under the first policy whose budget covers it."""
        offers = []
        for policy, budget in chain:
            plan = plans[policy.name]
            lengths = plan.lengths if isinstance(plan, JobPlan) else []
            marked = mark.entry if mark is not None and isinstance(plan, JobPlan) and plan.marked else None
            offers.append(self._ledger.offer(key.owner, policy.name, policy.release.label, lengths, budget, marked))
        try:
            lease = await self._ledger.open(Party(key.id, key.owner, str(key.tier)), request_id, offers)
        except OverBudgetError as error:
            raise budget_exhausted() from error
        try:
            return lease, _plan_of(plans, lease.offer.policy)
        except ApiError:
            lease.settle("refused")
            raise

    def _mark(self, key: Key) -> OwnersMark | None:
        """Return the mark of a key's owner. A request keeps its epoch, however long it runs."""
        mark = self._config.mark(str(key.tier))
        if mark is None:
            return None
        epoch = self._config.marks.epoch(time.time())
        own = mark_key(self._secrets.marks, mark.text, key.owner, epoch)
        return OwnersMark(JobMark(mark.text, own), EntryMark(mark.text, epoch))

    def _plan(self, request: ApiRequest, policy: ServedPolicy, mark: OwnersMark | None) -> JobPlan | ApiError:
        """Plan a request under a policy, or return the error with which that policy refuses it."""
        try:
            return plan_jobs(request, policy, self._config, self._secrets.streams, None if mark is None else mark.job)
        except ApiError as error:
            return error

    def _chain(self, key: Key, tier: Tier, request: ApiRequest) -> Chain:
        if request.distillgame is not None:
            if not tier.gateway:
                raise ApiError(
                    400, "'distillgame': the policy is the owner's", code="invalid_request", param="distillgame"
                )
            if request.distillgame.policy not in self._config.policies:
                raise ApiError(400, "'distillgame.policy': unknown policy", code="unknown_policy", param="distillgame")
            return [(self._config.served(request.distillgame.policy), tier.budget)]
        policy = self._config.served(tier.policy)
        fallback = None if tier.budget is None else tier.budget.fallback
        beyond = None if fallback is None else self._config.served(fallback)
        if tier.flagged is not None and self._flagged.has(key.owner):
            policy = self._config.served(tier.flagged)
            if beyond is not None and weakness(policy, beyond) is not None:
                beyond = policy
        return [(policy, tier.budget), *([] if beyond is None else [(beyond, None)])]


def _plan_of(plans: Plans, policy: str) -> JobPlan:
    plan = plans[policy]
    if isinstance(plan, ApiError):
        raise plan
    return plan
