"""The owner's configuration of a server."""

from pathlib import Path

from pydantic import Field, PrivateAttr, model_validator

from distillgame.choices import NamedChoice
from distillgame.errors import DistillgameError
from distillgame.gateway.config.marks import MarkSettings, TierMark, is_markable, require_markable
from distillgame.gateway.config.policies import PolicySettings, ServedPolicy, is_stronger, weakness
from distillgame.gateway.config.sections import (
    EngineSettings,
    MonitorSettings,
    ServerSettings,
    UpstreamSettings,
    VllmSettings,
)
from distillgame.gateway.config.tiers import Tier
from distillgame.gateway.ledger import DEFAULT_LEDGER, Budget
from distillgame.models import Endpoint, ModelSpec
from distillgame.policies import MarkPolicy, PolicyChoice, ReleasePolicy
from distillgame.policies.forms import WrittenForm
from distillgame.strict import Strict

PROXY = "proxy"
"""Name of the proxy that is configured as ``proxy``."""

Sampled = tuple[str, str | None]
"""A policy's name, and the text of the mark on top of it (:attr:`.TierMark.text`) or None."""

RESERVED = {
    "add_generation_prompt", "chat_template", "continue_final_message", "conversation", "documents", "max_length",
    "messages", "padding", "return_assistant_tokens_mask", "return_dict", "return_tensors", "tokenize",
    "tokenizer_kwargs", "tools", "truncation",
}  # fmt: skip
"""What the server itself tells the chat template, or how it is applied."""


class ServeConfig(Strict):
    """The configuration of one server.

    Attributes:
        model: The name by which clients request the model.
        teacher: The reference teacher.
        proxy: The defender's stand-in for the student.
        proxies: Further proxies by name.
        directions: The defender's unit-norm gradient at each proxy (safetensors), for policies that need derivatives.
        temperature: The teacher's own sampling temperature, at which policies sample unless they allow others.
        policies: Release policies by name.
        tiers: Tiers by name; each key is bound to one.
        chat_template_kwargs: Names that clients may tell the chat template, as in ``enable_thinking``; none by default.
        engine: Settings of the engine.
        vllm: vLLM, if it samples instead of the engine.
        upstream: Another server that samples instead of the engine.
        server: Settings of the HTTP server.
        ledger: URL of the database that holds keys and ledger.
        monitor: The campaign monitor.
        marks: Settings of the marks that tiers name.
    """

    model: str = Field("distillgame", min_length=1)
    teacher: ModelSpec = ModelSpec(source="embedded:teacher")
    proxy: ModelSpec | None = None
    proxies: dict[str, ModelSpec] = Field(default_factory=dict)
    directions: dict[str, Path] = Field(default_factory=dict)
    temperature: float = Field(0.6, gt=0)
    policies: dict[str, PolicySettings] = Field(min_length=1)
    tiers: dict[str, Tier] = Field(min_length=1)
    chat_template_kwargs: list[str] = Field(default_factory=list)
    engine: EngineSettings = EngineSettings()
    vllm: VllmSettings | None = None
    upstream: UpstreamSettings | None = None
    server: ServerSettings = ServerSettings()
    ledger: str = DEFAULT_LEDGER
    monitor: MonitorSettings = MonitorSettings()
    marks: MarkSettings = MarkSettings()

    _served: dict[str, ServedPolicy] = PrivateAttr(default_factory=dict)
    _marks: dict[str, TierMark] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _check(self) -> "ServeConfig":
        if self.upstream is not None and self.uses_vllm:
            raise ValueError("vllm: another server samples already ('upstream'); choose one")
        for name, settings in self.policies.items():
            try:
                self._served[name] = settings.resolve(name, self.temperature)
            except DistillgameError as error:
                raise ValueError(f"policies.{name}: {error}") from error
            self._check_policy(f"policies.{name}", self._served[name])
        for name, tier in self.tiers.items():
            self._check_tier(name, tier)
            if tier.mark is not None:
                self._marks[name] = self._checked_mark(f"tiers.{name}.mark", tier, tier.mark)
        self._check_budgets()
        for name in self.chat_template_kwargs:
            if name in RESERVED:
                raise ValueError(f"chat_template_kwargs: '{name}' is the server's own")
        return self

    @property
    def all_proxies(self) -> dict[str, ModelSpec]:
        """All proxies by name."""
        return ({} if self.proxy is None else {PROXY: self.proxy}) | self.proxies

    @property
    def uses_vllm(self) -> bool:
        """True if vLLM samples."""
        return self.vllm is not None and self.vllm.enabled

    @property
    def strictest(self) -> PolicyChoice:
        """The policy of tokens that are nobody's: no other that is served is known to be stronger, forms aside."""
        found, *others = self._served.values()
        for other in others:
            if is_stronger(other.policy, found.policy):
                found = other
        return found.release.without_form

    def served(self, name: str) -> ServedPolicy:
        """Return the policy called ``name``."""
        return self._served[name]

    def mark(self, tier: str) -> TierMark | None:
        """Return the mark of a tier; None if it has none."""
        return self._marks.get(tier)

    @property
    def sampled(self) -> dict[Sampled, ReleasePolicy]:
        """The policies that are sampled from: each one as tiers release it, unmarked if no tier names it."""
        found: dict[Sampled, ReleasePolicy] = {}
        for name, tier in self.tiers.items():
            mark = self.mark(name)
            for policy in self.policies if tier.gateway else tier.policies().values():
                served = self.served(policy)
                if mark is None or not is_markable(served):
                    found[policy, None] = served.policy
                else:
                    found[policy, mark.text] = mark.on(served)
        named = {policy for policy, _ in found}
        return found | {(name, None): self.served(name).policy for name in self.policies if name not in named}

    def _check_policy(self, where: str, served: ServedPolicy) -> None:
        if isinstance(served.policy, MarkPolicy):
            raise ValueError(
                f"{where}: '{served.policy.name}' is a mark: name the policy under it here, and the mark in a tier, as "
                "in mark: {keyed: {width: 4}}, so that each owner has a key"
            )
        form = served.form
        if isinstance(form, WrittenForm) and form.writer is None:
            raise ValueError(f"{where}: form '{served.release.form.name}' is not served; choose another")
        if isinstance(form, WrittenForm) and not isinstance(form.writer, Endpoint):
            raise ValueError(
                f"{where}: completions are rewritten through an endpoint: serve the writer on its own, and name it as "
                "{endpoint: URL, model: NAME}"
            )
        if self.upstream is not None:
            return
        policy = served.policy
        if self.uses_vllm and policy.control:
            raise ValueError(f"{where}: policy '{policy.name}' is a control, which is not served through vLLM")
        longest = self.vllm.max_model_len if self.vllm is not None and self.uses_vllm else None
        if longest is not None and served.max_tokens >= longest:
            raise ValueError(
                f"{where}: its completions of up to {served.max_tokens} tokens leave no room for a prompt in "
                f"'vllm.max_model_len', {longest}: raise that, or lower its 'max_tokens'"
            )
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
            why = weakness(self.served(tier.policy), self.served(policy))
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

    def _checked_mark(self, where: str, tier: Tier, choice: NamedChoice) -> TierMark:
        if self.upstream is not None or self.uses_vllm:
            other = "vLLM samples" if self.uses_vllm else "another server samples"
            raise ValueError(
                f"{where}: {other}, and it draws tokens without an owner's key: leave the mark out, or let our engine "
                "sample"
            )
        if tier.gateway:
            raise ValueError(
                f"{where}: the keys of this tier are a gateway's, whose customers would all have the same mark: leave "
                "the mark out"
            )
        try:
            mark = TierMark.of(choice)
            for field, policy in tier.policies().items():
                require_markable(mark, self.served(policy), field == "policy")
        except DistillgameError as error:
            raise ValueError(f"{where}: {error}") from error
        return mark

    def _check_budgets(self) -> None:
        """Check that every tier measures what a budget limits: the keys of an owner may belong to several tiers."""
        for name, tier in self.tiers.items():
            if tier.budget is not None and tier.budget.is_measured:
                for policy in sorted({policy for other in self.tiers.values() for policy in other.policies().values()}):
                    self._check_measured(f"tiers.{name}.budget", self.served(policy), tier.budget)

    def _check_measured(self, where: str, served: ServedPolicy, budget: Budget) -> None:
        """Refuse a budget on a quantity that is not measured: it would limit nothing."""
        if self.upstream is not None and not self.upstream.measured:
            raise ValueError(f"{where}: the upstream reports neither KL nor value; limit 'tokens_per_day' instead")
        if served.temperature.low <= 0:
            raise ValueError(
                f"{where}: policy '{served.name}' allows temperature 0, which has no KL and no value: set its "
                "'temperature'"
            )
        if budget.value_per_day is not None and not self.all_proxies and self.upstream is None:
            raise ValueError(f"{where}.value_per_day: the value of a token needs a 'proxy'")
        read = self.engine.speculative or self.uses_vllm or served.policy.needs_proxy
        if budget.value_per_day is not None and not read:
            raise ValueError(
                f"{where}.value_per_day: without 'engine.speculative' no proxy reads what policy '{served.name}' "
                "releases"
            )
