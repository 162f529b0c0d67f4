"""The owner's settings of a defended model in vLLM, and the arguments by which a request names its policy."""

import hmac
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from distillgame.errors import DistillgameError
from distillgame.policies import PolicyChoice, ReleasePolicy, make_policy
from distillgame.strict import Strict, parse

ARCHITECTURE = "DistillgameForCausalLM"
"""The name of the architecture, for ``--hf-overrides``."""

FIELD = "distillgame"
"""The field of the model's configuration that holds :class:`DefenseSettings`."""

PREFIX = "distillgame_"
"""Beginning of the names of a request's arguments (``SamplingParams.extra_args``, ``vllm_xargs`` over HTTP)."""

POLICY = f"{PREFIX}policy"
"""Argument: the registered name of the request's policy; its options are arguments beside it."""

_OWN = f"{PREFIX}request_"

SECRET = f"{_OWN}secret"
"""Argument: shows that the gateway asks."""

COSTS = f"{_OWN}costs"
"""Argument: the name of an account for the costs of the request's tokens."""

TOP = f"{_OWN}top"
"""Argument: number of likeliest released tokens that are noted with the costs."""

TEMPERATURE = f"{_OWN}temperature"
"""Argument: the teacher's temperature where tokens are taken greedily, as those of a forced answer are."""

KEYS = f"{_OWN}keys"
"""Argument: what the keys of a policy that draws at random follow from: the seed, the request's name, the number of
positions, and the position of the first token."""

SECRET_ENV = "DISTILLGAME_VLLM_SECRET"
"""The environment variable with the secret that requests have to show to choose their policy."""


def trusted(arguments: Mapping[str, Any], secret: str | None) -> bool:
    """Return whether a request shows the secret.

    Args:
        arguments: The request's extra arguments.
        secret: The secret; None if nobody may choose anything.
    """
    shown = arguments.get(SECRET)
    if secret is None or not isinstance(shown, str):
        return False
    # Clients send any text, halves of characters, too.
    return hmac.compare_digest(shown.encode("utf-8", "surrogatepass"), secret.encode("utf-8", "surrogatepass"))


class DefenseSettings(Strict):
    """The settings of a defended model in vLLM, given by ``--hf-overrides '{"distillgame": ...}'``.

    Attributes:
        policy: The policy of all requests that do not choose another, or may not: the strictest one that is served.
        proxies: Folders or hub names of the proxies, by the names that policies use; none where no policy needs one.
        directions: The defender's unit-norm gradient at each proxy (safetensors), for policies that need derivatives.
    """

    policy: PolicyChoice
    proxies: dict[str, str] = Field(default_factory=dict)
    directions: dict[str, Path] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check(self) -> "DefenseSettings":
        policy = self.policy.policy
        if policy.control:
            raise DistillgameError(f"policy '{policy.name}' is a control, and nobody's policy by default")
        self.require(policy)
        return self

    @classmethod
    def of(cls, config: Any) -> "DefenseSettings":
        """Return the settings in a model's configuration.

        Raises:
            DistillgameError: If there are none, or they are not valid.
        """
        found = getattr(config, FIELD, None)
        if not isinstance(found, Mapping):
            raise DistillgameError(f"--hf-overrides: '{FIELD}' with the policy and the proxies is missing")
        return parse(cls, found, f"--hf-overrides: {FIELD}")

    def require(self, policy: ReleasePolicy) -> None:
        """Check that a policy can be served with these proxies.

        Raises:
            DistillgameError: If it cannot.
        """
        if policy.marking is not None:
            raise DistillgameError(
                f"policy '{policy.name}' is a mark, and vLLM draws tokens without its key: sample with our own engine"
            )
        for name in policy.proxies if policy.uses_proxies else ():
            if name not in self.proxies:
                raise DistillgameError(f"policy '{policy.name}' needs a proxy called '{name}'")
            if policy.needs_delta and name not in self.directions:
                raise DistillgameError(f"policy '{policy.name}' needs 'directions.{name}'")

    @cached_property
    def _known(self) -> dict[str, ReleasePolicy]:
        return {}

    def chosen(self, arguments: Mapping[str, Any], secret: str | None) -> ReleasePolicy:
        """Return the policy of a request: the one it names if it shows the secret, otherwise the owner's.

        Nothing that a client can send makes a request less defended: without the secret, and also with arguments that
        make no policy, it gets the owner's strictest.

        Args:
            arguments: The request's extra arguments.
            secret: The secret; None if nobody may choose.
        """
        named = arguments.get(POLICY)
        if not trusted(arguments, secret) or not isinstance(named, str):
            return self.policy.policy
        options = {
            name.removeprefix(PREFIX): value
            for name, value in arguments.items()
            if name.startswith(PREFIX) and name != POLICY and not name.startswith(_OWN)
        }
        key = repr((named, sorted(options.items())))
        if key not in self._known:
            self._known[key] = self._made(named, options)
        found = self._known[key]
        return found if KEYS in arguments or not found.control else self.policy.policy

    def _made(self, name: str, options: Mapping[str, Any]) -> ReleasePolicy:
        try:
            policy = make_policy(name, options)
            self.require(policy)
        except DistillgameError:
            return self.policy.policy
        return policy
