"""Students that value every trace once, at their base model, before training."""

import math
from dataclasses import dataclass

from distillgame.errors import DistillgameError
from distillgame.students.base import Needs, Prepared, students
from distillgame.students.checks import require_eta, require_share
from distillgame.students.lessons import Desk, Lesson, reweighed


@students.register("adaptive_once")
@dataclass(frozen=True)
class AdaptiveOnce(Prepared):
    """Weights w ∝ exp(eta·v) computed once over the whole set, as the published code does, with the right sign.

    Values are taken over all parameters of the base model, also where adapters are trained: at their start half of
    the adapters' gradients are zero, which the published code did not account for.
    """

    eta: float
    name = "adaptive_once"
    needs_objective = True
    whole_set = True

    def __post_init__(self) -> None:
        require_eta(self.name, self.eta)

    def prepare(self, desk: Desk) -> list[Lesson]:
        """All traces, each weighed by its value; the mean weight is one."""
        lessons = super().prepare(desk)
        tilts = [self.eta * value for value in desk.values(lessons)]
        peak = max(tilts, default=0.0)
        mean = math.log(sum(math.exp(tilt - peak) for tilt in tilts) / max(1, len(tilts))) + peak if tilts else 0.0
        return reweighed(lessons, [tilt - mean for tilt in tilts])


@students.register("filter")
@dataclass(frozen=True)
class Filter(Prepared):
    """Trains on the most valuable ``share`` of the traces, valued once at the base model."""

    share: float
    name = "filter"
    needs_objective = True

    def __post_init__(self) -> None:
        require_share(self.name, "share", self.share)

    def prepare(self, desk: Desk) -> list[Lesson]:
        """The most valuable traces, in their own order."""
        lessons = super().prepare(desk)
        values = desk.values(lessons)
        kept = sorted(range(len(lessons)), key=lambda i: -values[i])[: math.ceil(self.share * len(lessons))]
        return [lessons[i] for i in sorted(kept)]


@students.register("best_of_k")
@dataclass(frozen=True)
class BestOfK(Prepared):
    """Asks each prompt ``k`` times and keeps the most valuable trace; with the same queries it asks a k-th of them."""

    k: int
    name = "best_of_k"
    needs_objective = True

    def __post_init__(self) -> None:
        if self.k < 2:
            raise DistillgameError(f"student 'best_of_k': k must be at least 2 (found {self.k!r})")

    @property
    def needs(self) -> Needs:
        """K traces a prompt."""
        return Needs(draws=self.k)

    def prepare(self, desk: Desk) -> list[Lesson]:
        """The most valuable trace of each prompt."""
        chosen = []
        for group in zip(desk.supplies.traces, *desk.supplies.further, strict=True):
            chosen.append([lesson for trace in group if (lesson := desk.lesson(trace)) is not None])
        values = iter(desk.values([lesson for group in chosen for lesson in group]))
        valued = [[(next(values), lesson) for lesson in group] for group in chosen]
        return [max(group, key=lambda pair: pair[0])[1] for group in valued if group]
