"""The interface of what computes stages: worker processes here, or a cluster."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Self

from distillgame.arena.stages import Stage
from distillgame.arena.store import Store

Message = dict[str, Any]
"""A message about a running stage: ``progress`` (done and total), ``done``, or ``error`` with a ``traceback``."""


def death(code: int) -> str:
    """Say how a process ended that should not have, from its exit status."""
    reason = f"signal {-code}, perhaps out of memory" if code < 0 else f"exit status {code}"
    return f"its process died ({reason})"


class Engine(ABC):
    """A context in which stages are computed side by side.

    Attributes:
        store: Where results are kept.
        isolates: Whether a stage that measures time gets a machine to itself while others run elsewhere.
    """

    store: Store
    isolates: ClassVar[bool] = False

    def __enter__(self) -> Self:
        return self

    @abstractmethod
    def __exit__(self, *_: object) -> None:
        """End what is running; finished stages are kept."""

    @abstractmethod
    def start(self, stage: Stage) -> bool:
        """Begin to compute a stage whose inputs are finished, if there is room; return whether it began."""

    @abstractmethod
    def wait(self) -> tuple[Stage, Message]:
        """Wait for the next message about a running stage."""
