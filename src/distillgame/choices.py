"""How a configuration names a registered thing with its parameters."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field, model_validator

from distillgame.strict import Strict


class NamedChoice(Strict):
    """A registered thing with its parameters: ``name``, or ``name: {parameter: value}`` in YAML."""

    name: str
    options: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _from_short_form(cls, data: Any) -> Any:
        return _expanded(data)

    @property
    def label(self) -> str:
        """The name with its parameters, as in ``poe gamma=0.3 proxies=small:1,large:2``."""
        return " ".join([self.name, *(f"{key}={_shown(value)}" for key, value in self.options.items())])


def _expanded(data: Any) -> Any:
    if isinstance(data, str):
        return {"name": data}
    if isinstance(data, dict) and len(data) == 1 and "name" not in data:
        name, options = next(iter(data.items()))
        return {"name": name, "options": options or {}}
    return data


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return ",".join(f"{name}:{_shown(part)}" for name, part in value.items())
    if isinstance(value, list | tuple):
        return ",".join(map(_shown, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


class Defense(NamedChoice):
    """A release policy with the form in which it releases: ``poe: {gamma: 0.5, form: answer_only}`` in YAML.

    Attributes:
        form: ``full``, ``summary``, ``answer_only`` or ``truncated: {share: 0.5}``.
    """

    form: NamedChoice = NamedChoice(name="full")

    @model_validator(mode="before")
    @classmethod
    def _take_form_out(cls, data: Any) -> Any:
        data = _expanded(data)
        if isinstance(data, dict) and isinstance(data.get("options"), Mapping) and "form" in data["options"]:
            options = dict(data["options"])
            return data | {"form": options.pop("form"), "options": options}
        return data

    @property
    def policy(self) -> NamedChoice:
        """The policy alone."""
        return NamedChoice(name=self.name, options=self.options)

    @property
    def label(self) -> str:
        """The policy with its parameters, and the form where it is not the full one."""
        plain = super().label
        return plain if self.form.name == "full" else f"{plain} form={self.form.label.replace(' ', ',')}"
