"""What the owner grants: release policies, and the tiers that keys are bound to."""

from pydantic import Field

from distillgame.gateway.config.ranges import Bounds
from distillgame.policies import Defense, ReleasePolicy
from distillgame.strict import Strict

REFUSE = "refuse"
"""What a budget does past which nothing more is served."""


class ServedPolicy(Strict):
    """A release policy with what a client may ask of it; what is asked beyond that is clamped.

    Defended policies are narrow unless the owner widens them: the teacher's own temperature and the whole distribution,
    at which their strength was calibrated, and no log-probabilities.

    Attributes:
        release: The policy, its strength and its form, as in ``poe: {gamma: 0.5, form: answer_only}``.
        temperature: A number, or a range ``[low, high]``.
        top_p: Likewise.
        max_tokens: Most tokens of a completion.
        choices: Most completions of one request (``n``).
        logprobs: Most log-probabilities a token that are shown, of the released distribution; None shows none at all.
    """

    release: Defense
    temperature: Bounds | None = None
    top_p: Bounds | None = None
    max_tokens: int = Field(512, ge=1)
    choices: int = Field(8, ge=1)
    logprobs: int | None = Field(None, ge=0, le=20)

    @property
    def defended(self) -> bool:
        """Whether anything other than the reference teacher's own words is released."""
        return self.release.name != "standard" or self.release.form.name != "full"

    def make(self) -> ReleasePolicy:
        """The release policy."""
        return self.release.policy


def weakness(first: ServedPolicy, second: ServedPolicy) -> str | None:
    """Why ``second`` is plainly weaker than ``first``; None where it is not, or where they cannot be compared."""
    if first.defended and not second.defended:
        return "it is undefended"
    if first.release.form.name != "full" and second.release.form.name == "full":
        return "it releases whole completions"
    if second.logprobs is not None and (first.logprobs is None or second.logprobs > first.logprobs):
        return "it shows more log-probabilities"
    one, other = first.make(), second.make()
    if first.release.form != second.release.form:
        return None
    if one.name == other.name and one.knob is not None:
        before, after = (policy.parameters[one.knob.parameter] for policy in (one, other))
        if after < before:
            return f"its {one.knob.parameter} is {after:g}, not {before:g}"
    return None


class Limits(Strict):
    """What a key may ask for in a minute, in this process.

    Attributes:
        requests_per_minute: Requests.
        tokens_per_minute: Tokens of prompts and completions; what a request may yet sample counts while it runs.
    """

    requests_per_minute: int | None = Field(None, ge=1)
    tokens_per_minute: int | None = Field(None, ge=1)


class Budget(Strict):
    """What an owner's keys together may leak in a day (UTC).

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
        """Whether it needs what only an engine of ours can measure."""
        return self.kl_per_day is not None or self.value_per_day is not None


class Tier(Strict):
    """What the keys of a tier are served.

    Attributes:
        policy: The policy.
        limits: Requests and tokens a minute, for each key.
        budget: Leakage a day, for each owner.
        flagged: The policy that is served to an owner whom the campaign monitor has flagged; the same one if None.
        gateway: Whether its keys belong to a gateway of the owner's in front of this server: it names the policy
            itself, and is told what each chunk costs. Never for clients.
    """

    policy: str
    limits: Limits = Limits()
    budget: Budget | None = None
    flagged: str | None = None
    gateway: bool = False

    def policies(self) -> dict[str, str]:
        """The policies that it names, by where it names them."""
        named = {"policy": self.policy, "flagged": self.flagged, "budget.beyond": None}
        if self.budget is not None and self.budget.beyond != REFUSE:
            named["budget.beyond"] = self.budget.beyond
        return {where: name for where, name in named.items() if name is not None}
