"""Valuations of traces before training: what an attacker may take a trace to be worth."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from typing import Literal, get_args

from distillgame.choices import NamedChoice
from distillgame.errors import DistillgameError
from distillgame.records import ReleasedTrace
from distillgame.students.base import Prepared
from distillgame.students.lessons import Desk, Lesson
from distillgame.students.supplies import Needs
from distillgame.values import (
    Direction,
    heldout_drops,
    objective_gradient,
    preconditioned,
    second_moments,
    v_grad_difference,
)

Value = Literal["grad", "influence", "gap", "heldout", "length"]
"""What a trace is worth to a student:

* ``grad``: v_grad, the derivative of the validation objective along the trace's own gradient;
* ``influence``: the same after Adam's preconditioning (:mod:`distillgame.values.influence`);
* ``gap``: log pi_reader - log pi_base per token, where the reader is a passive student of the same traces: it stands
  for the released policy, and the base model for the defender's proxy, which the attacker has to guess;
* ``heldout``: by how much the trace's part of one step of the trainer lowers the objective, which is measured trace by
  trace and expensive;
* ``length``: tokens of the completion per token of its prompt. Whoever hides working writes less.
"""

PASSIVE = NamedChoice(name="passive")

VALUES: tuple[Value, ...] = get_args(Value)

WITHOUT_OBJECTIVE: tuple[Value, ...] = ("gap", "length")
"""Values that take no validation objective."""

MOMENTS = 32
"""Minibatches from which second moments are estimated."""

HELDOUT = 64
"""Examples of the objective on which ``heldout`` is measured."""


class Valuing(Prepared):
    """A student that values traces once, at its base model.

    Attributes:
        value: What they are worth to it.
    """

    value: Value

    @property
    def needs(self) -> Needs:
        """A reader, where it compares likelihoods."""
        return Needs(reader=PASSIVE if self.value == "gap" else None)

    @property
    def needs_objective(self) -> bool:
        """True if it values by the objective."""
        return self.value not in WITHOUT_OBJECTIVE


def appraise(desk: Desk, lessons: Sequence[Lesson], value: Value) -> list[float]:
    """Return the value of each lesson at the base model, in nats; ``length`` is a ratio of tokens.

    Raises:
        DistillgameError: If there is no validation objective and the value needs one.
    """
    if value == "length":
        return [len(lesson.example.target) / max(1, len(lesson.example.prompt)) for lesson in lessons]
    if value == "gap":
        return _gaps(desk, lessons)
    if not desk.objective:
        raise DistillgameError("values need validation examples, and there are none")
    network = desk.model.model
    if value == "heldout":
        return _drops(desk, lessons)
    direction = objective_gradient(network, list(desk.batches(desk.objective)))
    if value == "influence":
        direction = preconditioned(direction, _moments(desk, lessons))
    found = [v_grad_difference(network, batch, direction, desk.value_step) for batch in desk.batches(lessons)]
    return [float(each) for batch in found for each in batch]


def most_valuable(desk: Desk, groups: Sequence[Sequence[ReleasedTrace]], value: Value) -> list[ReleasedTrace]:
    """Return the most valuable trace of each group, the first of several alike.

    Traces of which nothing could be learnt do not count, nor do groups without any other.

    Raises:
        DistillgameError: If there is no validation objective and the value needs one.
    """
    usable = [[trace for trace in group if desk.lesson(trace) is not None] for group in groups]
    values = iter(appraise(desk, desk.lessons([trace for group in usable for trace in group]), value))
    valued = [[(next(values), trace) for trace in group] for group in usable]
    return [max(group, key=lambda pair: pair[0])[1] for group in valued if group]


def _moments(desk: Desk, lessons: Sequence[Lesson]) -> Direction:
    return second_moments(desk.model.model, list(islice(desk.batches(lessons), MOMENTS)))


def _drops(desk: Desk, lessons: Sequence[Lesson]) -> list[float]:
    network, moments = desk.model.model, _moments(desk, lessons)
    objective = list(desk.batches(desk.objective[:HELDOUT]))
    singles = (batch for lesson in lessons for batch in desk.batches([lesson]))
    return list(heldout_drops(network, singles, objective, moments, desk.trace_rate))


def _gaps(desk: Desk, lessons: Sequence[Lesson]) -> list[float]:
    assert desk.supplies.reader is not None
    read, known = (
        [float(row.mean()) for row in each.token_logprobs(lessons)]
        for each in (replace(desk, model=desk.supplies.reader), desk)
    )
    return [ours - theirs for ours, theirs in zip(read, known, strict=True)]
