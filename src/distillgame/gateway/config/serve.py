"""The owner's configuration of a server."""

from pathlib import Path
from typing import Any

from pydantic import Field, PrivateAttr, model_validator

from distillgame.errors import DistillgameError
from distillgame.gateway.config.ranges import Bounds
from distillgame.gateway.config.sections import EngineSettings, MonitorSettings, ServerSettings, Upstream
from distillgame.gateway.config.tiers import Budget, ServedPolicy, Tier, weakness
from distillgame.gateway.ledger.location import LEDGER
from distillgame.models import ModelSpec
from distillgame.policies.forms import make_form
from distillgame.strict import Strict

PROXY = "proxy"
"""What policies call the one proxy that stands under ``proxy``."""


class ServeConfig(Strict):
    """One server.

    Attributes:
        model: The name that clients ask for.
        teacher: The reference teacher.
        proxy: The defender's stand-in for the student.
        proxies: Further proxies by name.
        directions: The defender's unit-norm gradient at each proxy (safetensors), for policies that need derivatives.
        temperature: The teacher's own sampling temperature, which policies have unless they allow others.
        policies: Release policies by name.
        tiers: Tiers by name; keys are bound to them.
        engine: How the engine samples.
        upstream: Another server that samples instead of the engine.
        server: The server itself.
        ledger: Where keys and ledger are: a database URL.
        monitor: The campaign monitor.
    """

    model: str = Field("distillgame", min_length=1)
    teacher: ModelSpec = ModelSpec(source="embedded:teacher")
    proxy: ModelSpec | None = None
    proxies: dict[str, ModelSpec] = Field(default_factory=dict)
    directions: dict[str, Path] = Field(default_factory=dict)
    temperature: float = Field(0.6, gt=0)
    policies: dict[str, ServedPolicy] = Field(min_length=1)
    tiers: dict[str, Tier] = Field(min_length=1)
    engine: EngineSettings = EngineSettings()
    upstream: Upstream | None = None
    server: ServerSettings = ServerSettings()
    ledger: str = LEDGER
    monitor: MonitorSettings = MonitorSettings()

    _served: dict[str, ServedPolicy] = PrivateAttr(default_factory=dict)

    def model_post_init(self, context: Any) -> None:
        """Fill in what a policy leaves to the house."""
        self._served.update({name: self._filled(policy) for name, policy in self.policies.items()})

    @model_validator(mode="after")
    def _check(self) -> "ServeConfig":
        for name, served in self.policies.items():
            self._check_policy(name, served)
        for name, tier in self.tiers.items():
            self._check_tier(name, tier)
        self._check_budgets()
        return self

    @property
    def all_proxies(self) -> dict[str, ModelSpec]:
        """All proxies by name."""
        return ({} if self.proxy is None else {PROXY: self.proxy}) | self.proxies

    def served(self, name: str) -> ServedPolicy:
        """The policy called ``name``, its ranges filled in."""
        return self._served[name]

    def _filled(self, policy: ServedPolicy) -> ServedPolicy:
        own = Bounds(low=self.temperature, high=self.temperature)
        narrow = (own, Bounds(low=1.0, high=1.0), None)
        wide = (Bounds(low=0.0, high=2.0), Bounds(low=0.0, high=1.0), 20)
        temperature, top_p, logprobs = narrow if policy.defended else wide
        # An owner's explicit null is no leave to show more.
        shown = policy.logprobs if "logprobs" in policy.model_fields_set else logprobs
        return policy.model_copy(
            update={
                "temperature": policy.temperature or temperature,
                "top_p": policy.top_p or top_p,
                "logprobs": shown,
            }
        )

    def _check_policy(self, name: str, served: ServedPolicy) -> None:
        where = f"policies.{name}"
        try:
            policy, form = served.make(), make_form(served.release.form)
        except DistillgameError as error:
            raise ValueError(f"{where}: {error}") from error
        if form.needs_summary:
            raise ValueError(
                f"{where}: form '{served.release.form.name}' is not served; choose answer_only or truncated"
            )
        if self.upstream is not None:
            return
        for proxy in policy.proxy_names:
            if proxy not in self.all_proxies:
                raise ValueError(f"{where}: policy '{policy.name}' needs a proxy called '{proxy}'")
            if policy.needs_delta and proxy not in self.directions:
                raise ValueError(
                    f"{where}: policy '{policy.name}' needs 'directions.{proxy}': the gradient.safetensors of a game"
                )

    def _check_tier(self, name: str, tier: Tier) -> None:
        for where, policy in tier.policies().items():
            if policy not in self.policies:
                raise ValueError(
                    f"tiers.{name}.{where}: unknown policy '{policy}'; choose among {', '.join(self.policies)}"
                )
            why = weakness(self.served(tier.policy), self.served(policy)) if tier.policy in self.policies else None
            if where != "policy" and (why is not None or not self.served(policy).defended):
                raise ValueError(
                    f"tiers.{name}.{where}: '{policy}' is weaker than '{tier.policy}': {why or 'it is undefended'}; "
                    "choose a stronger policy"
                )
        limit = tier.limits.tokens_per_minute
        for policy in tier.policies().values():
            if limit is not None and limit < self.policies[policy].max_tokens:
                most = self.policies[policy].max_tokens
                raise ValueError(
                    f"tiers.{name}.limits.tokens_per_minute: {limit} is less than the {most} tokens that one "
                    f"completion of policy '{policy}' may have"
                )

    def _check_budgets(self) -> None:
        """See that what a budget is about is measured in every tier: an owner's keys may be of several."""
        for name, tier in self.tiers.items():
            if tier.budget is not None and tier.budget.is_measured:
                for policy in sorted({policy for other in self.tiers.values() for policy in other.policies().values()}):
                    self._check_measured(f"tiers.{name}.budget", policy, tier.budget)

    def _check_measured(self, where: str, name: str, budget: Budget) -> None:
        """A budget on what is not measured would only pretend."""
        if self.upstream is not None and not self.upstream.measured:
            raise ValueError(f"{where}: the upstream reports neither KL nor value; limit 'tokens_per_day' instead")
        served = self.served(name)
        if served.temperature is not None and served.temperature.low <= 0:
            raise ValueError(
                f"{where}: policy '{name}' allows temperature 0, which has no KL and no value: set its 'temperature'"
            )
        if budget.value_per_day is not None and not self.all_proxies and self.upstream is None:
            raise ValueError(f"{where}.value_per_day: the value of a token needs a 'proxy'")
        if budget.value_per_day is not None and not self.engine.speculative and not served.make().needs_proxy:
            raise ValueError(
                f"{where}.value_per_day: without 'engine.speculative' no proxy reads what policy '{name}' releases"
            )
