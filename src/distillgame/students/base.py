"""The base class of students: how one selects, rewrites and weighs traces. One trainer trains them all."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal

import torch
from pydantic import ValidationError

from distillgame.choices import NamedChoice
from distillgame.errors import DistillgameError
from distillgame.records import ReleasedTrace
from distillgame.registry import Registry
from distillgame.students.lessons import Desk, Lesson, Phase, Preference
from distillgame.students.supplies import Needs

Objective = Literal["reference", "released", "clean"]


class Student(ABC):
    """An attacker's rule: how it selects, rewrites and weighs traces.

    Attributes:
        name: The registered name.
        control: Whether it exists for comparison rather than to attack.
        trains: Whether it is trained at all.
        objective: The validation objective it insists on; None for the attacker's own.
    """

    name: ClassVar[str]
    control: ClassVar[bool] = False
    trains: ClassVar[bool] = True
    objective: ClassVar[Objective | None] = None

    @property
    def needs(self) -> Needs:
        """Released traces only."""
        return Needs()

    @property
    def needs_values(self) -> bool:
        """True if the trainer has to value each trace at each step, which takes one more forward pass."""
        return False

    @property
    def needs_likelihood(self) -> bool:
        """True if its values are the traces' mean log-likelihoods at the current parameters instead."""
        return False

    @property
    def whole_set(self) -> bool:
        """True if the lessons' weights are relative to the whole set, where their mean is one, not to the minibatch."""
        return False

    @property
    def preference(self) -> Preference | None:
        """Its preference for targets over rejected ones, where its lessons have such."""
        return None

    @property
    def needs_objective(self) -> bool:
        """True if it uses the attacker's validation objective at all."""
        return self.needs_values

    @property
    def settings(self) -> Mapping[str, float | str]:
        """The student's parameters by name: the fields of its dataclass, names of things only where not the default."""
        usual: dict[str, object] = {f.name: f.default for f in fields(self)} if is_dataclass(self) else {}
        found = {name: getattr(self, name) for name in usual}
        return {name: value for name, value in found.items() if not isinstance(value, str) or value != usual[name]}

    def prepare(self, desk: Desk) -> list[Lesson]:
        """Select, rewrite and weigh the traces once before training; by default keep all of them as they are.

        Args:
            desk: The traces, everything else the student was supplied with, and its base model.
        """
        return desk.lessons(desk.supplies.traces)

    def phases(self, desk: Desk) -> list[Phase]:
        """Return what it trains on, one phase after the other; by default one, of what :meth:`prepare` returns."""
        return [Phase(self.prepare(desk))]

    @abstractmethod
    def log_weights(self, values: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Return log w up to a constant shared by the whole minibatch; the trainer adds the lessons' own.

        Args:
            values: v of each trace in the batch, shape (B,); zeros unless :attr:`needs_values` or
                :attr:`needs_likelihood`.
            generator: A seeded source of randomness.
        """


class Prepared(Student):
    """A student that chooses before training: within a minibatch its lessons keep the weights they were given."""

    def log_weights(self, values: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Return equal weights."""
        return torch.zeros_like(values)


class Editing(Prepared):
    """A prepared student that makes traces of traces: it drops some, or puts others in their place."""

    @abstractmethod
    def edited(self, desk: Desk) -> list[ReleasedTrace]:
        """Return the traces that it would train on."""

    def prepare(self, desk: Desk) -> list[Lesson]:
        """Return them as lessons."""
        return desk.lessons(self.edited(desk))


@dataclass(frozen=True)
class PreparedShare(Prepared):
    """A prepared student whose one setting is a share, above 0 and below 1."""

    share: float

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise DistillgameError(f"student '{self.name}': share must be above 0 and below 1 (found {self.share!r})")


students: Registry[Student] = Registry("student", "distillgame.students")


def make_student(name: str, options: Mapping[str, Any] | None = None) -> Student:
    """Make the student called ``name``.

    Raises:
        DistillgameError: If the name, an option's name or its value is not acceptable.
    """
    return students.make(name, options or {})


def require_eta(student: str, eta: float) -> None:
    """Check a student's eta.

    Raises:
        DistillgameError: If it is not a number at least 0.
    """
    if not 0 <= eta < float("inf"):
        raise DistillgameError(f"student '{student}': eta must be a number at least 0 (found {eta!r})")


def require_rate(student: str, rate: float) -> None:
    """Check a student's learning rate, which is a share of the settings'.

    Raises:
        DistillgameError: If it is not above 0 and at most 1.
    """
    if not 0 < rate <= 1:
        raise DistillgameError(f"student '{student}': rate must be above 0 and at most 1 (found {rate!r})")


def require_at_least(student: str, name: str, value: int, least: int) -> None:
    """Check a student's setting that is a count.

    Raises:
        DistillgameError: If it is below ``least``.
    """
    if value < least:
        raise DistillgameError(f"student '{student}': {name} must be at least {least} (found {value!r})")


class StudentChoice(NamedChoice):
    """A student and its options: ``adaptive: {eta: 4}`` in YAML."""

    @cached_property
    def student(self) -> Student:
        """The student itself.

        Raises:
            DistillgameError: If the name, an option's name or its value is not acceptable.
        """
        return make_student(self.name, self.options)


def named_in(student: str, option: str, given: str | Mapping[str, Any]) -> StudentChoice:
    """Return the student that an option of another one names, with its options in its own order.

    So one student has one label and one stage, however a configuration writes it.

    Raises:
        DistillgameError: If it names no student, or that one's options are not acceptable.
    """
    try:
        choice = StudentChoice.model_validate(given)
    except ValidationError:
        problem = f"must name one student, as in {{filter: {{share: 0.25}}}} (found {given!r})"
        raise DistillgameError(f"student '{student}': {option}: {problem}") from None
    order: list[str] = [field.name for field in fields(choice.student)] if is_dataclass(choice.student) else []
    options = {name: choice.options[name] for name in order if name in choice.options}
    return StudentChoice(name=choice.name, options=options)
