"""Registered things as configurations name them: a name with options."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field, model_validator

from distillgame.strict import Strict


class NamedChoice(Strict):
    """A registered thing and its options: ``name``, or ``name: {option: value}`` in YAML."""

    name: str
    options: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _from_short_form(cls, data: Any) -> Any:
        return expanded(data)

    @property
    def label(self) -> str:
        """The name with its options, as in ``poe gamma=0.3 proxies=small:1,large:2``."""
        return labelled(self.name, self.options)

    @property
    def short(self) -> str | dict[str, Any]:
        """The short form: the name alone, or with its options."""
        return {self.name: self.options} if self.options else self.name


def labelled(name: str, options: Mapping[str, Any]) -> str:
    """Return a name with options as labels show them."""
    return " ".join([name, *(f"{key}={shown(value)}" for key, value in options.items())])


def expanded(data: Any) -> Any:
    """Return the long form of a choice, ``{"name": ..., "options": ...}``; anything else as it is."""
    if isinstance(data, str):
        return {"name": data}
    if isinstance(data, dict) and len(data) == 1 and "name" not in data:
        name, options = next(iter(data.items()))
        return {"name": name, "options": options or {}}
    return data


def shown(value: Any) -> str:
    """Return an option's value as labels show it."""
    if isinstance(value, Mapping):
        return ",".join(f"{name}:{shown(part)}" for name, part in value.items())
    if isinstance(value, list | tuple):
        return ",".join(map(shown, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
