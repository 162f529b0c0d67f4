"""A range that the owner sets and a client's number is clamped to."""

from typing import Any

from pydantic import Field, model_validator

from distillgame.strict import Strict


class Bounds(Strict):
    """A closed range; in YAML one number, or ``[low, high]``.

    Attributes:
        low: Smallest value.
        high: Largest value.
    """

    low: float = Field(ge=0)
    high: float = Field(ge=0)

    @model_validator(mode="before")
    @classmethod
    def _from_short_form(cls, data: Any) -> Any:
        if isinstance(data, int | float) and not isinstance(data, bool):
            return {"low": data, "high": data}
        if isinstance(data, list):
            if len(data) != 2:
                raise ValueError("a number or [low, high]")
            return {"low": data[0], "high": data[1]}
        return data

    @model_validator(mode="after")
    def _check(self) -> "Bounds":
        if self.low > self.high:
            raise ValueError(f"{self.low:g} is above {self.high:g}")
        return self

    def clamp(self, value: float) -> float:
        """The number in the range that is closest to ``value``."""
        return min(max(value, self.low), self.high)
