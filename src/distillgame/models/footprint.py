"""The memory that networks take, from numbers that need neither weights nor downloads."""

from collections.abc import Iterable
from dataclasses import dataclass

from pydantic import Field

from distillgame.strict import Strict


class CacheShape(Strict):
    """The shape of a network's keys and values.

    Attributes:
        layers: Number of layers.
        heads: Heads of keys and values in each, fewer than those of queries where several of these share one.
        size: Dimensions of a head.
    """

    layers: int = Field(ge=1)
    heads: int = Field(ge=1)
    size: int = Field(ge=1)

    def token_bytes(self, each: int, gpus: int = 1) -> int:
        """Return the bytes of one token's keys and values on each GPU.

        Args:
            each: Bytes of a number.
            gpus: Number of GPUs over which heads are split; each holds one at the least.
        """
        return 2 * self.layers * max(1, self.heads // gpus) * self.size * each


@dataclass(frozen=True)
class Footprint:
    """The memory of one network.

    Attributes:
        name: Its name.
        parameters: Number of parameters; None if unknown.
        cache: Shape of its keys and values; None if unknown.
        each: Bytes of a number, in its weights.
        cached: Bytes of a number, in keys and values.
        copies: Number of such networks: two where a derivative is a difference of passes.
    """

    name: str
    parameters: float | None
    cache: CacheShape | None
    each: int
    cached: int
    copies: int = 1

    @property
    def weights(self) -> float | None:
        """Bytes of the weights of all copies; None if unknown."""
        return None if self.parameters is None else self.parameters * self.each * self.copies

    def token_bytes(self, gpus: int = 1) -> int | None:
        """Return the bytes of one token's keys and values on each of so many GPUs, in all copies; None if unknown."""
        return None if self.cache is None else self.cache.token_bytes(self.cached, gpus) * self.copies


def total(values: Iterable[float | None]) -> float | None:
    """Return the sum; None if a value is unknown."""
    known = list(values)
    return None if None in known else sum(value for value in known if value is not None)
