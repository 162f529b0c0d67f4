"""What a student is: which traces it takes, what it makes of them, how it weighs them; training is one trainer."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, ClassVar, Literal

import torch

from distillgame.registry import Registry
from distillgame.students.lessons import Desk, Lesson

Objective = Literal["reference", "released", "clean"]


@dataclass(frozen=True)
class Needs:
    """What a student asks of whoever supplies it, beside released traces.

    Attributes:
        traces: Whether it needs released traces at all.
        draws: Traces a prompt; with k of them it asks a k-th of the prompts, so that its queries stay the same.
        verdicts: Whether a trace's final answer is right, which an attacker can tell where answers are public.
        references: Public worked solutions to train on.
        own_samples: Completions a prompt by its own base model, graded.
        rewrites: Rewritings a trace by its own base model.
        logprobs: Released log-probabilities of the likeliest tokens at each position.
        proxy: The defender's proxy.
    """

    traces: bool = True
    draws: int = 1
    verdicts: bool = False
    references: bool = False
    own_samples: int = 0
    rewrites: int = 0
    logprobs: bool = False
    proxy: bool = False

    @property
    def level(self) -> Literal["text", "assisted", "informed"]:
        """The level of the threat model at which a student with these needs is compared with others."""
        if self.logprobs or self.proxy:
            return "informed"
        return "assisted" if self.references else "text"


class Student(ABC):
    """An attacker's rule: how it selects, rewrites and weighs traces.

    Attributes:
        name: The registered name.
        control: Whether it exists to be compared with rather than to attack.
        trains: Whether it is trained at all.
        needs_values: Whether the trainer has to value each trace at each step (one more forward pass).
        needs_likelihood: Whether its values are the traces' mean log-likelihoods at the current parameters instead.
        needs_objective: Whether it takes a gradient of the attacker's validation objective at all.
        objective: The validation objective it insists on, whatever the attacker's; None for the attacker's own.
        whole_set: Whether the weights that :meth:`prepare` gives are relative to the whole set of traces, where their
            mean is one, rather than to the minibatch.
        needs: What it has to be supplied with.
    """

    name: ClassVar[str]
    control: ClassVar[bool] = False
    trains: ClassVar[bool] = True
    needs_values: ClassVar[bool] = False
    needs_likelihood: ClassVar[bool] = False
    needs_objective: ClassVar[bool] = False
    objective: ClassVar[Objective | None] = None
    whole_set: ClassVar[bool] = False

    @property
    def needs(self) -> Needs:
        """Released traces only."""
        return Needs()

    @property
    def settings(self) -> Mapping[str, float]:
        """The student's parameters, by name: the fields of its dataclass."""
        return {field.name: getattr(self, field.name) for field in fields(self)} if is_dataclass(self) else {}

    def prepare(self, desk: Desk) -> list[Lesson]:
        """Select, rewrite and weigh the traces once, before training; all of them as they are by default.

        Args:
            desk: The traces and all else the student was supplied with, and its base model.
        """
        return desk.lessons(desk.supplies.traces)

    @abstractmethod
    def log_weights(self, values: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Return log w up to a constant that the whole minibatch shares; the trainer adds the lessons' own.

        Args:
            values: v of each trace in the batch, shape (B,); zeros unless :attr:`needs_values` or
                :attr:`needs_likelihood`.
            generator: A seeded source of randomness.
        """


class Prepared(Student):
    """A student whose choice is made before training: within a minibatch its lessons weigh what they were given."""

    def log_weights(self, values: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Equal weights."""
        return torch.zeros_like(values)


students: Registry[Student] = Registry("student", "distillgame.students")


def make_student(name: str, settings: Mapping[str, Any] | None = None) -> Student:
    """Make the student called ``name``.

    Raises:
        DistillgameError: If the name, a setting's name or its value is not acceptable.
    """
    return students.make(name, settings or {})
