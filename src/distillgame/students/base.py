"""What a student is: how it weighs the released traces of a minibatch. Training itself is one trainer."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import torch

from distillgame.registry import Registry


class Student(ABC):
    """An attacker's rule for weighing traces.

    Attributes:
        name: The registered name.
        control: Whether it exists to be compared with rather than to attack.
        trains: Whether it is trained at all.
        needs_values: Whether the trainer has to value each trace (one more forward pass a step).
    """

    name: ClassVar[str]
    control: ClassVar[bool] = False
    trains: ClassVar[bool] = True
    needs_values: ClassVar[bool] = False

    @property
    def settings(self) -> Mapping[str, float]:
        """The student's parameters, by name."""
        return {}

    @abstractmethod
    def log_weights(self, values: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Return log w up to a constant that the whole minibatch shares; the trainer normalises.

        Args:
            values: v of each trace in the batch, shape (B,); zeros unless :attr:`needs_values`.
            generator: A seeded source of randomness.
        """


students: Registry[Student] = Registry("student", "distillgame.students")


def make_student(name: str, settings: Mapping[str, Any] | None = None) -> Student:
    """Make the student called ``name``.

    Raises:
        DistillgameError: If the name, a setting's name or its value is not acceptable.
    """
    return students.make(name, settings or {})
