"""Release policies as configurations name them, with or without the form of release."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from pydantic import model_validator

from distillgame.choices import NamedChoice, expanded, labelled
from distillgame.policies.base import ReleasePolicy, make_policy, policies


class PolicyChoice(NamedChoice):
    """A release policy and its options: ``poe: {gamma: 0.5}`` in YAML."""

    @cached_property
    def policy(self) -> ReleasePolicy:
        """The policy itself.

        Raises:
            DistillgameError: If the name, an option's name or its value is not acceptable.
        """
        return make_policy(self.name, self.options)

    @property
    def label(self) -> str:
        """The name with its options, but for those that the policy does not show."""
        # Not asked of the policy itself: one whose strength is to be found has none yet.
        hidden = getattr(policies.get(self.name), "unlabelled", ())
        return labelled(self.name, {name: value for name, value in self.options.items() if name not in hidden})


class Defense(PolicyChoice):
    """A release policy with the form in which it releases: ``poe: {gamma: 0.5, form: answer_only}`` in YAML.

    Attributes:
        form: ``full``, ``summary``, ``answer_only`` or ``truncated: {share: 0.5}``.
    """

    form: NamedChoice = NamedChoice(name="full")

    @model_validator(mode="before")
    @classmethod
    def _take_form_out(cls, data: Any) -> Any:
        data = expanded(data)
        if isinstance(data, dict) and isinstance(data.get("options"), Mapping) and "form" in data["options"]:
            options = dict(data["options"])
            return data | {"form": options.pop("form"), "options": options}
        return data

    @property
    def without_form(self) -> PolicyChoice:
        """The policy alone."""
        return PolicyChoice(name=self.name, options=self.options)

    @property
    def label(self) -> str:
        """The policy with its options, and the form where it is not the full one."""
        plain = super().label
        return plain if self.form.name == "full" else f"{plain} form={self.form.label.replace(' ', ',')}"
